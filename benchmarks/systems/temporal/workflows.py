"""User code on Temporal: a run is a workflow with one activity, a child of a run is an activity."""

import asyncio
import time
from datetime import timedelta

from temporalio import activity, workflow

QUEUE = "bench"
DEADLINE = timedelta(seconds=60)


@activity.defn
async def now() -> int:
    return time.monotonic_ns()


@workflow.defn
class Once:
    @workflow.run
    async def run(self) -> int:
        return await workflow.execute_activity(now, start_to_close_timeout=DEADLINE)


@workflow.defn
class Chain:
    @workflow.run
    async def run(self, hops: int) -> list[int]:
        return [await workflow.execute_activity(now, start_to_close_timeout=DEADLINE) for _ in range(hops)]


@workflow.defn
class Fan:
    @workflow.run
    async def run(self, children: int) -> int:
        calls = [workflow.execute_activity(now, start_to_close_timeout=DEADLINE) for _ in range(children)]
        return len(await asyncio.gather(*calls))
