"""The operator is stopped and started again while many runs are under way: how soon it is itself again, at what cost."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import psutil  # type: ignore[import-untyped]

from benchmarks.operator import audits, benches, credentials, loads, operators, planes, workloads
from benchmarks.operator.audits import Trail
from benchmarks.operator.contenders import peak_bytes
from benchmarks.operator.operators import Operator
from benchmarks.operator.planes import Plane
from benchmarks.processes import BenchmarkError
from benchmarks.stages import Stage
from skerry_objects.clients import TASK_RUNS

POLL_SECONDS = 0.1
SETTLE_SECONDS = 120.0
# How long it must go on to write nothing.
WATCHED_SECONDS = 10.0


@dataclass(frozen=True)
class Restart:
    """One restart.

    Attributes:
        stop_seconds: From the signal to the end of the first process.
        listed_seconds: From the start of the second to its first full comparison.
        settled_seconds: From there on until it has heard of every TaskRun, and nothing waits to be looked at.
        cpu_seconds: What the second has used by then.
        resident_bytes: What it has in memory then.
        peak_bytes: The most it has had.
        before_bytes: The most the first one had, which created all the Pods.
        writes: Requests of the second, until some time after it settled.
        watching: Processor seconds a second in that time.
    """

    runs: int
    stop_seconds: float
    listed_seconds: float
    settled_seconds: float
    cpu_seconds: float
    resident_bytes: int
    peak_bytes: int
    before_bytes: int
    writes: dict[str, int]
    watching: float

    def needless(self) -> int:
        """Writes for which there is no reason, as nothing has changed."""
        return audits.total(self.writes)

    def json(self) -> dict[str, Any]:
        """Plain figures."""
        return asdict(self)


def measured(runs: int, rate: float) -> Restart:
    """Start everything, bring all runs under way, and restart the operator.

    Raises:
        BenchmarkError: Something could not be started, or does not settle.
    """
    with Stage() as stage:
        plane = planes.started(stage, run_seconds=None)
        benches.prepare(plane)
        first = operators.active(plane)
        bodies = [workloads.task_run(f"run-{number}") for number in range(runs)]
        loads.run(plane, TASK_RUNS, bodies, rate, workloads.is_running)
        before = peak_bytes(first.child.pid)
        began = time.monotonic()
        first.child.stop()
        return _restarted(plane, runs, time.monotonic() - began, before)


def _restarted(plane: Plane, runs: int, stop_seconds: float, before: int) -> Restart:
    trail, began = Trail(plane.audit), time.monotonic()
    second = operators.started(plane)
    second.child.wait_until(second.is_active, SETTLE_SECONDS, "first comparison")
    listed = time.monotonic() - began
    _until_settled(second, runs, began)
    settled, process = time.monotonic() - began, psutil.Process(second.child.pid)
    used, resident = _cpu_seconds(process), process.memory_info().rss
    time.sleep(WATCHED_SECONDS)
    own = (write for write in trail.read() if write.user == credentials.OPERATOR)
    return Restart(
        runs=runs,
        stop_seconds=stop_seconds,
        listed_seconds=listed,
        settled_seconds=settled,
        cpu_seconds=used,
        resident_bytes=resident,
        peak_bytes=peak_bytes(process.pid),
        before_bytes=before,
        writes=audits.counts(own),
        watching=(_cpu_seconds(process) - used) / WATCHED_SECONDS,
    )


def _until_settled(operator: Operator, runs: int, began: float) -> None:
    while time.monotonic() - began < SETTLE_SECONDS:
        found = operator.metrics()
        # It knows Pods from its first comparison, and watches them from there on.
        if found.get("watch_events_total/TaskRun", 0) >= runs and found.get("queue_length") == 0:
            return
        time.sleep(POLL_SECONDS)
    raise BenchmarkError(f"the operator did not settle within {SETTLE_SECONDS:.0f} s of its restart")


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
