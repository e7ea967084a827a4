"""A first Skerry project: three tasks, one of which calls another many times in parallel."""

import asyncio

from skerry import Retry, Workflows

app = Workflows()


@app.task
async def hello(name: str = "World") -> str:
    """Greet someone."""
    print(f"Saying hello to {name}")  # what a task prints becomes its log
    return f"Hello, {name}!"


@app.task(retry=Retry(max_retries=3, wait_duration_ms=500, backoff_scaling=2), timeout_seconds=60)
async def square(number: int) -> int:
    """Square a number: slow on purpose, so that there is something to watch."""
    await asyncio.sleep(0.5)
    return number * number


@app.task
async def sum_of_squares(numbers: list[int]) -> int:
    """Square every number in a run of its own, all at once, and add up the results."""
    squares = await asyncio.gather(*(square(number) for number in numbers))
    return sum(squares)
