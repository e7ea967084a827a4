"""An application of the real SDK, for tests of the runner with it."""

from __future__ import annotations

import asyncio
import os
import time

from skerry import Workflows

app = Workflows()


@app.task
def add(a: int, b: int) -> int:
    print(f"adding {a} and {b}")
    return a + b


@app.task
async def add_all(numbers: list[int]) -> int:
    sums = await asyncio.gather(*(add(number, 0) for number in numbers))
    return sum(sums)


@app.task
async def waits(seconds: float) -> str:
    print("waiting")
    await asyncio.sleep(seconds)
    return "waited"


@app.task
def blocks(seconds: float) -> str:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            time.sleep(0.05)
        except BaseException as error:
            print(f"ignored {type(error).__name__}")
    return "blocked"


@app.task
def process_id() -> int:
    return os.getpid()


@app.task
def holds(mebibytes: int) -> int:
    """Take memory for good: pages that are written to."""
    return len(b"x" * (mebibytes * 1024 * 1024))


@app.task
def dies() -> None:
    os._exit(5)
