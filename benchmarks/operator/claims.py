"""Claims at scale: thousands of Pods wait or run while TaskRuns take those that wait, and Jobs get theirs, in turns."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import psutil  # type: ignore[import-untyped]

from benchmarks import usages
from benchmarks.operator import audits, benches, credentials, lags, loads, nodes, operators, planes, workloads
from benchmarks.operator.audits import Step
from benchmarks.operator.contenders import JOBS, SKERRY, Contender, parts, peak_bytes
from benchmarks.operator.lags import Lags
from benchmarks.operator.loads import Load
from benchmarks.operator.planes import NAMESPACE, Plane
from benchmarks.processes import BenchmarkError
from benchmarks.stages import Stage
from skerry_objects import names
from skerry_objects.clients import PODS, RUNNER_POOLS, TASK_RUNS, ApiError, Client, Resource, Unreachable

Json = dict[str, Any]

FILL, BURST, STEADY = "fill", "burst", "steady"
FOREVER = float("inf")


@dataclass(frozen=True)
class Size:
    """How much is asked for.

    Attributes:
        runs: Pods in the end. Half of them wait or run before the first claim, a quarter is claimed as fast as it goes, the
            rest steadily.
        nodes: They are spread over these.
        pools: So many RunnerPools share those that wait.
        rate: Objects a second that are asked for at most while it goes as fast as it can.
        steady_rate: And while it does not.
    """

    runs: int
    nodes: int
    pools: int
    rate: float
    steady_rate: float

    def check(self) -> None:
        """Raise `BenchmarkError` where it cannot be."""
        if self.runs < 4:
            raise BenchmarkError("there are claims of both kinds with at least 4 runs")
        if self.runs > self.nodes * nodes.KUBELET_PODS:
            raise BenchmarkError(f"{self.nodes} nodes take {nodes.KUBELET_PODS} Pods each, not {self.runs} in all")
        if not 0 < self.pools <= self.waiting:
            raise BenchmarkError(f"{self.waiting} Pods that wait cannot be those of {self.pools} pools")

    @property
    def waiting(self) -> int:
        """Pods that wait."""
        return self.runs // 2

    @property
    def burst(self) -> int:
        """Claims as fast as it goes."""
        return self.runs // 4

    @property
    def steady(self) -> int:
        """Claims at a steady rate."""
        return self.runs - self.waiting - self.burst


@dataclass(frozen=True)
class Stretch:
    """One part of the way there.

    Attributes:
        name: `fill`, `burst` or `steady`.
        asked: Pods that are to wait, or TaskRuns, or Jobs.
        taken_seconds: From the first request until the last of them had its Pod, or the last Pod was created.
        lags: Of single objects; there are none while pools fill.
        steps: How far all new objects were when.
        writes: Requests of its user for each kind of change.
        spent: Processor seconds of every part.
        others: Processor seconds of everything else on the machine.
        seconds: How long these two were counted: until the end was noticed.
        resident_bytes: The resident memory its process had then.
        peak_bytes: The most it had until then.
    """

    name: str
    asked: int
    taken_seconds: float
    lags: Lags | None
    steps: dict[str, Step]
    writes: dict[str, int]
    refused: int
    spent: dict[str, float]
    others: float
    seconds: float
    resident_bytes: int
    peak_bytes: int

    @property
    def rate(self) -> float:
        """Objects a second from the first request until all had their Pods."""
        return self.asked / self.taken_seconds

    @property
    def created(self) -> float:
        """Pods created a second, from the first request until the last of them; 0 if there are none."""
        pods = self.steps.get("Pod")
        return pods.count / pods.last if pods else 0.0

    def needed(self) -> float:
        """Writes for each object, those for a pool apart."""
        return audits.total(self.writes, {*audits.NOT_WORK, "runnerpools/status"}) / self.asked

    def json(self) -> dict[str, Any]:
        """Plain figures."""
        return asdict(self)


@dataclass(frozen=True)
class _Ask:
    """What a stretch asks for; `taken` has the TaskRun that names a Pod, by that Pod's name."""

    name: str
    asked: int
    resource: Resource
    bodies: list[Json]
    rate: float
    taken: dict[str, str] = field(default_factory=dict)


def measured(contender: Contender, size: Size) -> Iterator[Stretch]:
    """Start everything, and tell of each stretch when it is over; stop everything at the end.

    Raises:
        BenchmarkError: Something could not be started, or a stretch did not come to its end.
    """
    size.check()
    with Stage() as stage:
        plane = planes.started(stage, run_seconds=None)
        benches.prepare(plane, nodes.nodes(size.nodes, nodes.KUBELET_PODS), pools=[])
        if contender is SKERRY:
            operators.active(plane)
        for ask in _claims(plane, size) if contender is SKERRY else _jobs(size):
            yield _stretch(plane, contender, ask)


def _claims(plane: Plane, size: Size) -> Iterator[_Ask]:
    shares = [size.waiting // size.pools + (number < size.waiting % size.pools) for number in range(size.pools)]
    pools = [workloads.waiting_pool(number, replicas) for number, replicas in enumerate(shares)]
    yield _Ask(FILL, size.waiting, RUNNER_POOLS, pools, size.rate)
    for name, count, rate in ((BURST, size.burst, size.rate), (STEADY, size.steady, size.steady_rate)):
        pods = asyncio.run(_waiting(plane))
        if len(pods) < count:
            raise BenchmarkError(f"only {len(pods)} Pods wait for {count} claims")
        # From all pools, and old and new ones.
        chosen = {f"{name}-{number}": pod for number, pod in enumerate(random.Random(0).sample(pods, count))}
        bodies = [workloads.claim(run, pod) for run, pod in chosen.items()]
        yield _Ask(name, count, TASK_RUNS, bodies, rate, {pod["metadata"]["name"]: run for run, pod in chosen.items()})


async def _waiting(plane: Plane) -> list[Json]:
    selector = f"{names.MANAGED_BY}={names.MANAGER},!{names.RUN}"
    try:
        async with Client(plane.configuration(credentials.CLIENT)) as client:
            found, _ = await client.list(PODS, NAMESPACE, labels=selector, fields="status.phase=Running")
    except (ApiError, Unreachable) as problem:
        raise BenchmarkError(f"Pods that wait: {problem}") from problem
    return found


def _jobs(size: Size) -> Iterator[_Ask]:
    for name, count, rate in (
        (FILL, size.waiting, size.rate),
        (BURST, size.burst, size.rate),
        (STEADY, size.steady, size.steady_rate),
    ):
        yield _Ask(name, count, JOBS.resource, [workloads.job(f"{name}-{number}") for number in range(count)], rate)


def _stretch(plane: Plane, contender: Contender, ask: _Ask) -> Stretch:
    watch, began = usages.Watch({name: [pid] for name, pid in parts(plane).items()}), time.monotonic()
    others = [RUNNER_POOLS] if ask.resource == TASK_RUNS else []
    load = loads.run(plane, ask.resource, ask.bodies, ask.rate, workloads.is_running, others)
    return _told(contender, ask, load, watch.cost(), time.monotonic() - began, plane.parts[contender.part])


def _told(contender: Contender, ask: _Ask, load: Load, cost: usages.Cost, seconds: float, pid: int) -> Stretch:
    own = [write for write in load.writes if write.user == contender.user]
    steps = audits.steps(load.writes, ask.resource.plural, load.began, FOREVER)
    found = lags.lags(lags.ways(load.writes, ask.resource.plural, ask.taken).values())
    last = steps["Pod"].last if found.last is None else found.last - load.began
    return Stretch(
        name=ask.name,
        asked=ask.asked,
        taken_seconds=last,
        lags=None if found.last is None else found,
        steps=steps,
        writes=audits.counts(own),
        refused=sum(not write.accepted for write in own),
        spent=cost.spent,
        others=cost.others,
        seconds=seconds,
        resident_bytes=psutil.Process(pid).memory_info().rss,
        peak_bytes=peak_bytes(pid),
    )
