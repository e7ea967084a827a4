"""Pods that wait for work during a measurement: how many, and since when."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.cluster.benches import Bench

WORKFLOW = "faults"
READY_SECONDS = 180.0
# From the moment a container runs until its application is imported and the control plane knows it, on a busy machine.
IMPORT_SECONDS = 3.0


def say(bench: Bench, **spec: Any) -> None:
    """Change the Workflow's spec."""
    bench.tasks.kubectl("patch", "workflow", WORKFLOW, "--type", "merge", "--patch", json.dumps({"spec": spec}))


@asynccontextmanager
async def waiting(bench: Bench, count: int, most: int | None = None, **spec: Any) -> AsyncIterator[None]:
    """Have `count` Pods wait for `faults/clock`, because so many runs of it came at once; `spec` is changed besides.

    Demand and not `warm.min` makes them wait: that would be Pods of every plan that the workflow's tasks name.
    """
    policy = {"min": 0, "max": count if most is None else most, "idleSeconds": 600}
    await asyncio.to_thread(say, bench, warm=policy, **spec)
    try:
        if count:
            await bench.open(count)
            runs = await bench.batch("faults/clock", count)
            await bench.until_over(runs)
        yield
    finally:
        await asyncio.to_thread(say, bench, warm=None, **dict.fromkeys(spec))


async def until_waiting(bench: Bench, count: int, plan: str = "standard") -> None:
    """Wait until so many Pods wait and nothing else is being started."""
    async with asyncio.timeout(READY_SECONDS):
        while True:
            pools = [pool for pool in await bench.pools() if pool["plan"] == plan and pool["wanted"]]
            if sum(pool["idle"] for pool in pools) >= count and not any(pool["starting"] for pool in pools):
                break  # what the record says is up to a second old, as is what the operator says of Pods just taken
            await asyncio.sleep(0.2)
    await asyncio.sleep(IMPORT_SECONDS if count > 1 else 1.0)


async def until_none(bench: Bench, seconds: float) -> float:
    """Seconds until no task Pod is left that is not over; at most `seconds`."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while True:
        live = ("--field-selector", "status.phase!=Succeeded,status.phase!=Failed")
        if not await asyncio.to_thread(bench.tasks.names, "pods", *live):
            return loop.time() - began
        assert loop.time() - began < seconds, "task Pods are left although nothing was triggered"
        await asyncio.sleep(1)
