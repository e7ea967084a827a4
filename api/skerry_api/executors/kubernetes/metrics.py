"""Prometheus metrics of the Kubernetes executor: what a replica asks of the API server, and what it waits for."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from skerry_objects.clients import ApiError, Unreachable

_LAUNCH_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3600)


class Metrics:
    """What this process counts; but for `skerry_leader` and its errors, only the replica that leads has much to tell."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.registry = CollectorRegistry()
        self._writes = Counter(
            "skerry_task_run_writes",
            "TaskRuns created, patched and deleted: result is ok, or as the kind of skerry_cluster_errors",
            ["verb", "result"],
            registry=self.registry,
        )
        self._launch = Histogram(
            "skerry_launch_seconds",
            "From the moment an attempt was ready until its TaskRun was written",
            buckets=_LAUNCH_BUCKETS,
            registry=self.registry,
        )
        self._waiting = Gauge(
            "skerry_attempts_waiting_for_pod",
            "Attempts that have a TaskRun and no runner yet",
            ["pool"],
            registry=self.registry,
        )
        self._errors = Counter(
            "skerry_cluster_errors",
            "Requests that the API server did not carry out: conflict, refused, throttled, failed or unreachable",
            ["kind"],
            registry=self.registry,
        )
        self._restarts = Counter(
            "skerry_watch_restarts",
            "Times all objects were listed again because their watch could not go on",
            ["kind", "why"],
            registry=self.registry,
        )
        self._pods = Gauge(
            "skerry_pool_pods",
            "Pods of RunnerPools, over all versions: state is wanted, idle, starting or claimed",
            ["workflow", "plan", "state"],
            registry=self.registry,
        )
        self._warm = Counter(
            "skerry_warm_seconds",
            "Seconds that Pods waited for work, added up over Pods",
            ["workflow", "plan"],
            registry=self.registry,
        )
        self._pooled: set[tuple[str, str]] = set()
        self.leader = Gauge(
            "skerry_leader", "1 while this process keeps runs and TaskRuns in step", registry=self.registry
        )

    @contextmanager
    def writing(self, verb: str) -> Iterator[None]:
        """Count a write of a TaskRun, and how it went."""
        try:
            with self.asking():
                yield
        except (ApiError, Unreachable) as error:
            self._writes.labels(verb, kind_of(error)).inc()
            raise
        self._writes.labels(verb, "ok").inc()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Count a request that goes wrong."""
        try:
            yield
        except (ApiError, Unreachable) as error:
            self._errors.labels(kind_of(error)).inc()
            raise

    def launched(self, seconds: float) -> None:
        """A TaskRun was written for an attempt that had been ready for so long."""
        # Two clocks are involved: that of the database said when it was ready.
        self._launch.observe(max(0.0, seconds))

    def waits(self, pools: Iterable[str]) -> None:
        """These are the pools of all attempts that have a TaskRun and no runner, one element for each attempt."""
        self._waiting.clear()
        for pool, number in Tally(pools).items():
            self._waiting.labels(pool).set(number)

    def waited(self, workflow: str, plan: str, seconds: float) -> None:
        """Pods of a workflow and plan that is shown in `pools` waited so long, all together."""
        self._warm.labels(workflow, plan).inc(seconds)

    def pools(self, pods: Mapping[tuple[str, str, str], int]) -> None:
        """These are the Pods by workflow, plan and state; what was shown of other workflows and plans goes."""
        self._pods.clear()
        for (workflow, plan, state), number in pods.items():
            self._pods.labels(workflow, plan, state).set(number)
        there = {(workflow, plan) for workflow, plan, _ in pods}
        for workflow, plan in there:
            # From zero on, so that the first seconds are an increase too.
            self._warm.labels(workflow, plan)
        for gone in self._pooled - there:
            self._warm.remove(*gone)
        self._pooled = there

    def watch_restarted(self, kind: str, why: str) -> None:
        """The objects of this kind are listed again."""
        self._restarts.labels(kind, why).inc()


def kind_of(error: ApiError | Unreachable) -> str:
    """One word for why the API server did not carry out a request."""
    if isinstance(error, Unreachable):
        return "unreachable"
    if error.status >= 500:
        return "failed"
    return {409: "conflict", 429: "throttled"}.get(error.status, "refused")
