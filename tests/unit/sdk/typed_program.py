"""Read by mypy, not run: what a type checker must and must not accept (see test_typing)."""

import asyncio
from typing import assert_type

from skerry import AsyncTask, Handle, Retry, SyncTask, TaskContext, Workflows

app = Workflows()


@app.task
def square(x: int) -> int:
    return x * x


@app.task(retry=Retry(1), plan="pro")
async def double(x: int, *, by: float = 2.0) -> float:
    return by * x


@app.task
async def top(ctx: TaskContext, name: str) -> str:
    assert_type(await double(1, by=3.0), float)
    first, second = await asyncio.gather(double(1), double(2))
    assert_type(first + second, float)
    assert_type(double.submit(1), Handle[float])
    assert_type(await square.submit(1), int)
    assert_type(await double.map([1, 2]), list[float])
    return name


@app.task(timeout_seconds=60)
def report(ctx: TaskContext, name: str) -> bytes:
    return name.encode()


assert_type(square(2), int)
assert_type(square.map([1]), list[int])
assert_type(report("x"), bytes)
double_task: AsyncTask[..., float] = double.with_options(plan="pro")
report_task: SyncTask[[str], bytes] = report

square("x")  # type: ignore[arg-type]
square(1, 2)  # type: ignore[call-arg]
double(1, bye=2.0)  # type: ignore[call-arg, unused-coroutine]
top(name=3)  # type: ignore[arg-type, unused-coroutine]
