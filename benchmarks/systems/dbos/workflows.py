"""User code on DBOS: a run is a workflow with one step, a child of a run is a step; 100 at once are workflows."""

import asyncio
import time

from dbos import DBOS

QUEUE = "bench"
VERSION = "1"
QUEUE_POLL_SECONDS = 0.05
RESULT_POLL_SECONDS = 0.005


@DBOS.step()
async def now() -> int:
    return time.monotonic_ns()


@DBOS.workflow()
async def once() -> int:
    return await now()


@DBOS.workflow()
async def chain(hops: int) -> list[int]:
    return [await now() for _ in range(hops)]


@DBOS.workflow()
async def fan(children: int) -> int:
    handles = [await DBOS.start_workflow_async(once) for _ in range(children)]
    return len(await asyncio.gather(*(handle.get_result() for handle in handles)))


@DBOS.workflow()
async def queued_fan(children: int) -> int:
    handles = [await DBOS.enqueue_workflow_async(QUEUE, once) for _ in range(children)]
    results = (handle.get_result(polling_interval_sec=RESULT_POLL_SECONDS) for handle in handles)
    return len(await asyncio.gather(*results))


def launch(url: str) -> None:
    """Connect this process to its system database, as an executor."""
    DBOS(
        config={
            "name": "bench",
            "system_database_url": url,
            "application_version": VERSION,
            "log_level": "ERROR",
            "run_admin_server": False,
        }
    )
    DBOS.launch()
