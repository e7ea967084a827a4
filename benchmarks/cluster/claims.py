"""How long runs take to reach user code in Pods that wait, on the clock that all processes of the machine share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.cluster.benches import Bench
from benchmarks.cluster.standbys import until_waiting, waiting

# Runs before a rate is measured: the Pods that they need start meanwhile.
WARM_UP = 1500
# Until the record knows of the Pods that a burst has taken.
SETTLE_SECONDS = 5.0
# What waits while triggers come with pauses: enough that refilling is not what is measured.
STANDBYS = 3
# Runs without a pause: about a tenth of a second, so that they are over before Pods of the first are replaced.
IN_A_ROW = 12


@dataclass
class Claims:
    """Milliseconds from the request to user code and to the result at the client, of every run."""

    code: list[float] = field(default_factory=list)
    result: list[float] = field(default_factory=list)

    def note(self, began: float, ended: float, at: int) -> None:
        """Take a run's moments: seconds of the monotonic clock, and user code's own reading in nanoseconds."""
        self.code.append((at / 1e9 - began) * 1000)
        self.result.append((ended - began) * 1000)


async def one_after_another(bench: Bench, count: int) -> Claims:
    """`count` runs, each when the one before is over, while Pods wait; then a pause until as many wait again."""
    found = Claims()
    async with waiting(bench, IN_A_ROW + 1):
        while len(found.code) < count:
            await asyncio.sleep(SETTLE_SECONDS)
            await until_waiting(bench, IN_A_ROW + 1)
            for _ in range(min(IN_A_ROW, count - len(found.code))):
                await _timed(bench, found)
    return found


async def after_a_pause(bench: Bench, count: int) -> Claims:
    """`count` runs, each when everything has been quiet for a second."""
    found = Claims()
    async with waiting(bench, STANDBYS):
        for _ in range(count):
            await until_waiting(bench, 1)
            await _timed(bench, found)
    return found


async def cold(bench: Bench, count: int) -> Claims:
    """`count` runs while none waits, each in a Pod of its own."""
    found = Claims()
    async with waiting(bench, 0):
        for _ in range(count):
            await _timed(bench, found)
            await asyncio.sleep(1)
    return found


async def requests(bench: Bench, count: int) -> list[float]:
    """Milliseconds of a request that only reads: the floor of every figure above."""
    found = []
    for _ in range(count):
        began = time.monotonic()
        await bench.get("/v1/plans")
        found.append((time.monotonic() - began) * 1000)
    return found


async def bursts(bench: Bench, size: int, rounds: int) -> Claims:
    """`rounds` times `size` runs by one request, each time when as many Pods wait; the result of each is not waited for."""
    found = Claims()
    async with waiting(bench, size):
        for _ in range(rounds):
            await asyncio.sleep(SETTLE_SECONDS)
            await until_waiting(bench, size)
            began = time.monotonic()
            runs = await bench.batch("faults/clock", size)
            await bench.until_over(runs)
            for run in runs:
                (at,) = (await bench.get(f"/v1/task-runs/{run}"))["results"]
                found.code.append((at / 1e9 - began) * 1000)
    return found


async def hops(bench: Bench, count: int) -> list[float]:
    """Milliseconds from a child's call in its parent to the child's user code, each in a Pod that waited."""
    found = []
    async with waiting(bench, STANDBYS):
        for _ in range(count):
            await until_waiting(bench, 2)
            asked, there, _ = (await bench.run("faults/hop"))["results"][0]
            found.append((there - asked) / 1e6)
    return found


async def _timed(bench: Bench, found: Claims) -> None:
    began = time.monotonic()
    run = await bench.run("faults/clock")
    found.note(began, time.monotonic(), run["results"][0])


async def rate(bench: Bench, count: int, in_flight: int, capacity: int) -> float:
    """Runs per second through Pods that take many, a process for each run, with so many in flight."""
    async with waiting(bench, 0, 4, isolation="process", capacity=capacity):
        await _through(bench, WARM_UP, in_flight)
        began = time.monotonic()
        await _through(bench, count, in_flight)
        return count / (time.monotonic() - began)


async def fan_out(bench: Bench, children: int, capacity: int) -> tuple[float, list[float]]:
    """Seconds from the first child's call to the last one's result; and milliseconds of lone runs triggered meanwhile."""
    async with waiting(bench, 0, 4, isolation="process", capacity=capacity):
        await _through(bench, WARM_UP, 32)
        spread = asyncio.create_task(bench.run("faults/spread", [children]))
        lone = Claims()
        await asyncio.sleep(0.3)
        while not spread.done():
            await _timed(bench, lone)
        began, ended = (await spread)["results"][0]
    return (ended - began) / 1e9, lone.result


async def _through(bench: Bench, count: int, in_flight: int) -> None:
    left = count

    async def client() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await bench.run("faults/clock")

    await asyncio.gather(*(client() for _ in range(in_flight)))


def percentiles(found: Sequence[float]) -> dict[str, Any]:
    """Median and 99th percentile (nearest rank), with how many there were."""
    ordered = sorted(found)
    if not ordered:
        return {"p50": None, "p99": None, "count": 0}

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]

    return {"p50": at(0.5), "p99": at(0.99), "count": len(ordered)}
