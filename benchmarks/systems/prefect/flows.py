"""User code on Prefect: a run is a flow with one task, a child of a run is a task."""

import asyncio
import sys
import time

from prefect import aserve, flow, task
from prefect.cache_policies import NO_CACHE

DEPLOYMENT = "bench"


@task(cache_policy=NO_CACHE)
async def now() -> int:
    return time.monotonic_ns()


@flow
async def once() -> int:
    return await now()


@flow
async def chain(hops: int) -> list[int]:
    return [await now() for _ in range(hops)]


@flow
async def fan(children: int) -> int:
    return len(await asyncio.gather(*(now() for _ in range(children))))


async def main() -> None:
    """Serve every flow: each run of it gets a process of its own."""
    deployments = [await each.ato_deployment(DEPLOYMENT) for each in (once, chain, fan)]
    print("ready")
    await aserve(*deployments, print_starting_message=False)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
