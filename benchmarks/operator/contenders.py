"""Skerry's operator and Kubernetes' Job controller, measured the same way: each alone, on a control plane of its own."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import usages
from benchmarks.operator import audits, benches, credentials, kinds, loads, operators, planes, workloads
from benchmarks.operator.audits import Step
from benchmarks.operator.loads import Load
from benchmarks.operator.planes import Plane
from benchmarks.stages import Stage
from skerry_objects.clients import TASK_RUNS, Resource

RUN_SECONDS = 1.0
WARM_UP_RUNS = 30


@dataclass(frozen=True)
class Contender:
    """Something that makes a Pod for each object.

    Attributes:
        part: The process that does it.
        user: Who that is for the API server.
    """

    name: str
    resource: Resource
    part: str
    user: str


SKERRY = Contender("Skerry, TaskRuns", TASK_RUNS, operators.PART, credentials.OPERATOR)
JOBS = Contender("Kubernetes, Jobs", kinds.JOBS, "controller manager", credentials.JOB_CONTROLLER)
CONTENDERS = (SKERRY, JOBS)


@dataclass(frozen=True)
class Round:
    """One load of one contender.

    Attributes:
        steps: How far all objects were when.
        writes: Requests of its user for each kind of change.
        spent: Processor seconds of every part.
        others: Processor seconds of everything else on the machine.
        seconds: How long these two were counted: until the end was noticed.
        peak_bytes: The most resident memory its process had.
    """

    runs: int
    steps: dict[str, Step]
    writes: dict[str, int]
    refused: int
    spent: dict[str, float]
    others: float
    seconds: float
    peak_bytes: int

    def rate(self, step: str) -> float:
        """Objects a second from the first request until all had come to this step."""
        return self.runs / self.steps[step].last

    def needed(self) -> float:
        """Writes for each run and its Pod; those for a pool are for many runs."""
        return audits.total(self.writes, {*audits.NOT_WORK, "runnerpools/status"}) / self.runs

    def json(self) -> dict[str, Any]:
        """Plain figures."""
        return asdict(self)


def measured(contender: Contender, runs: int, rate: float) -> Round:
    """Start everything, warm it up, load it, stop it.

    Raises:
        BenchmarkError: Something could not be started, or the load did not come to its end.
    """
    with Stage() as stage:
        plane = planes.started(stage, RUN_SECONDS)
        benches.prepare(plane)
        if contender is SKERRY:
            operators.active(plane)
        make = workloads.job if contender is JOBS else workloads.task_run
        warm_up = [make(f"warm-{number}") for number in range(min(WARM_UP_RUNS, runs))]
        loads.run(plane, contender.resource, warm_up, rate, workloads.outcome)
        watch, began = usages.Watch({name: [pid] for name, pid in parts(plane).items()}), time.monotonic()
        bodies = [make(f"run-{number}") for number in range(runs)]
        load = loads.run(plane, contender.resource, bodies, rate, workloads.outcome)
        cost, seconds = watch.cost(), time.monotonic() - began
        return _round(contender, load, runs, cost, seconds, peak_bytes(plane.parts[contender.part]))


def parts(plane: Plane) -> dict[str, int]:
    """Every process that takes part, this one included."""
    return {"client": os.getpid(), **plane.parts}


def peak_bytes(pid: int) -> int:
    """The most resident memory that a process has had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def _round(contender: Contender, load: Load, runs: int, cost: usages.Cost, seconds: float, peak: int) -> Round:
    own = [write for write in load.writes if write.user == contender.user]
    return Round(
        runs=runs,
        steps=audits.steps(load.writes, contender.resource.plural, load.began, RUN_SECONDS),
        writes=audits.counts(own),
        refused=sum(not write.accepted for write in own),
        spent=cost.spent,
        others=cost.others,
        seconds=seconds,
        peak_bytes=peak,
    )
