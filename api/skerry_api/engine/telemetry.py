"""Prometheus metrics of the engine."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.registry import Collector

from skerry_api.storage import runs
from skerry_api.storage.assignments import Assignment
from skerry_api.storage.databases import Database
from skerry_api.storage.writers import Writer

_START_BUCKETS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1, 2, 5, 15, 60)
_DURATION_BUCKETS = (0.005, 0.02, 0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200, 86_400)


class Telemetry:
    """What this process counts; gauges that need SQL are read when somebody asks."""

    def __init__(self, database: Database, writer: Writer) -> None:
        """Count for one process."""
        self._database = database
        self.registry = CollectorRegistry()
        self._submitted = self._counter("skerry_runs_submitted", "Runs accepted", ["workflow", "task"])
        self._finished = self._counter("skerry_runs_finished", "Runs that ended", ["workflow", "task", "status"])
        self._attempts = self._counter(
            "skerry_attempts_ended", "Attempts that ended here", ["workflow", "task", "reason"]
        )
        self._start = Histogram(
            "skerry_trigger_to_start_seconds",
            "From the moment an attempt was ready to its first line of user code",
            buckets=_START_BUCKETS,
            registry=self.registry,
        )
        self._duration = Histogram(
            "skerry_attempt_duration_seconds",
            "Running time of attempts",
            ["workflow", "task"],
            buckets=_DURATION_BUCKETS,
            registry=self.registry,
        )
        self._open = Gauge("skerry_runs_open", "Runs that are not over", ["workflow", "status"], registry=self.registry)
        self._depth = Gauge("skerry_queue_depth", "Attempts ready and waiting", ["pool"], registry=self.registry)
        self._age = Gauge("skerry_queue_age_seconds", "Age of the oldest of them", ["pool"], registry=self.registry)
        self.runners = Gauge("skerry_runners_connected", "Runners connected to this process", registry=self.registry)
        self._gauge("skerry_write_batches", "Batches written", lambda: writer.batches)
        self._gauge("skerry_writes", "Writes carried out in those batches", lambda: writer.writes)
        self._gauge("skerry_database_connections_in_use", "Pooled connections in use", database.connections_in_use)

    def _counter(self, name: str, text: str, labels: list[str]) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, read: object) -> None:
        gauge = Gauge(name, text, registry=self.registry)
        gauge.set_function(read)  # type: ignore[arg-type]  # typed float; our counters are int

    def collect_also(self, collector: Collector) -> None:
        """Expose another part's metrics too."""
        self.registry.register(collector)

    def submitted(self, workflow: str, task: str) -> None:
        """A run was accepted."""
        self._submitted.labels(workflow, task).inc()

    def attempt_ended(self, assignment: Assignment, reason: str | None, started: float | None, ended: float) -> None:
        """An attempt ended; times in epoch seconds."""
        self._attempts.labels(assignment.workflow, assignment.task, reason or "succeeded").inc()
        if started is not None:
            self._start.observe(max(0.0, started - assignment.ready_at))
            self._duration.labels(assignment.workflow, assignment.task).observe(max(0.0, ended - started))

    def run_finished(self, workflow: str, task: str, status: str) -> None:
        """A run reached its end here."""
        self._finished.labels(workflow, task, status).inc()

    async def refresh(self) -> None:
        """Read the gauges that only Postgres knows."""
        async with self._database.transaction() as connection:
            counts = await runs.count_open_runs(connection)
            queue = await runs.measure_queue(connection)
        self._open.clear()
        for workflow, status, count in counts:
            self._open.labels(workflow, status).set(count)
        self._depth.clear()
        self._age.clear()
        for pool, depth, age in queue:
            self._depth.labels(pool).set(depth)
            self._age.labels(pool).set(age)
