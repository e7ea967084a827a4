"""Many at once: runs of Skerry's, each in a Pod of its own, and as many bare Pods."""

from __future__ import annotations

import asyncio
import time

from benchmarks.cluster.benches import Bench
from benchmarks.cluster.sightings import bare_pod
from skerry_objects.clients import PODS

# As many requests to the API server at once as the operator makes.
AT_ONCE = 16


async def runs(bench: Bench, count: int) -> float:
    """Seconds from the trigger of `count` runs to the end of the last one's Pod.

    Raises:
        AssertionError: a run did not succeed at its first attempt.
    """
    began = time.monotonic()
    started = await bench.batch("faults/clock", count)
    await bench.task_runs.until_ended(started)
    await bench.pods.until_ended([f"{run}-1" for run in started])
    ended = max(bench.pods.ended[f"{run}-1"] for run in started)
    for run in started:
        status = bench.task_runs.objects[run]["status"]
        assert (status["phase"], status["attempt"]) == ("Succeeded", 1), f"{run} did not succeed: {status}"
    return ended - began


async def bare_pods(bench: Bench, count: int, prefix: str) -> float:
    """Seconds from the creation of the first of `count` bare Pods to the end of the last one."""
    like = await bench.task_pod()
    names = [f"{prefix}-{number}" for number in range(count)]
    turns = asyncio.Semaphore(AT_ONCE)

    async def create(name: str) -> None:
        async with turns:
            await bench.client.create(PODS, bench.namespace, bare_pod(name, like, "import time; time.monotonic_ns()"))

    began = time.monotonic()
    await asyncio.gather(*(create(name) for name in names))
    await bench.pods.until_ended(names)
    ended = max(bench.pods.ended[name] for name in names)
    await asyncio.gather(*(bench.client.delete(PODS, bench.namespace, name) for name in names))
    return ended - began
