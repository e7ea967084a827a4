"""User code on Skerry: the tasks that the benchmarks run. `async def` and plain `def` variants do the same."""

import asyncio
import time

from skerry import Workflows

app = Workflows()


@app.task
def noop() -> None:
    return None


@app.task
async def noop_async() -> None:
    return None


@app.task
def now() -> int:
    """The clock at entry, comparable between processes of one machine."""
    return time.monotonic_ns()


@app.task
async def now_async() -> int:
    """The same from a coroutine, which starts an event loop first."""
    return time.monotonic_ns()


@app.task
async def chain(hops: int) -> list[int]:
    """Await children one after another."""
    return [await now() for _ in range(hops)]


@app.task
async def fan(children: int) -> int:
    """Await children together."""
    return len(await asyncio.gather(*(now() for _ in range(children))))
