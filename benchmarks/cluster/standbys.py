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
async def waiting(bench: Bench, least: int, most: int | None = None, **spec: Any) -> AsyncIterator[None]:
    """Have Pods of the tasks' plan wait, at least `least`; `spec` is changed besides."""
    policy = {"min": least, "max": least if most is None else most, "idleSeconds": 5}
    await asyncio.to_thread(say, bench, warm=policy, **spec)
    try:
        yield
    finally:
        await asyncio.to_thread(say, bench, warm=None, **dict.fromkeys(spec))


async def until_waiting(bench: Bench, count: int, plan: str = "standard") -> None:
    """Wait until so many Pods wait and nothing else is being started."""
    async with asyncio.timeout(READY_SECONDS):
        while True:
            pools = [pool for pool in await bench.pools() if pool["plan"] == plan and pool["wanted"]]
            if sum(pool["idle"] for pool in pools) >= count and not any(pool["starting"] for pool in pools):
                break
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
