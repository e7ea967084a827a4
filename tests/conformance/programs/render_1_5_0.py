"""Tasks as users of `render` 1.5.0 write them."""

import asyncio
from typing import Any

import behaviours
from render import Retry, TaskContext, Workflows
from render.client.errors import TaskRunError

ONCE = Retry(max_retries=0, wait_duration_ms=100)
values = Workflows(default_retry=ONCE)
failures = Workflows(default_retry=ONCE)
elsewhere = Workflows()


@elsewhere.task
def stranger(ctx: TaskContext) -> None:
    """A task this program never registers."""


@values.task
def square(ctx: TaskContext, a: int) -> int:
    """Square a number."""
    return a * a


@values.task
def echo(ctx: TaskContext, value: Any = None) -> Any:
    return value


@values.task
def greet(ctx: TaskContext, name: str, greeting: str = "Hello", times: int = 1) -> str:
    return behaviours.greeting(name, greeting, times)


@values.task
def collect(ctx: TaskContext, *items: Any, **named: Any) -> dict[str, Any]:
    return {"items": items, "named": named}


@values.task
def surroundings(ctx: TaskContext) -> dict[str, Any]:
    return behaviours.surroundings()


@values.task
def produce(ctx: TaskContext, characters: int) -> str:
    return "x" * characters


@values.task
def speak(ctx: TaskContext, line: str) -> None:
    behaviours.speak(line)


@values.task(name="renamed-task", plan="starter", timeout_seconds=60, retry=Retry(2, 250, backoff_scaling=2.0))
def original_name(ctx: TaskContext, a: int, b: str = "b") -> int:
    return a


@values.task
def ids(ctx: TaskContext) -> dict[str, Any]:
    metadata = ctx.metadata
    return {"id": metadata.task_run_id, "root": metadata.root_task_run_id, "parent": metadata.parent_task_run_id}


@values.task
async def relay(ctx: TaskContext, items: list[Any]) -> dict[str, Any]:
    """What a parent receives for each of `items` when a child returns it; all children at once."""
    return {"received": await asyncio.gather(*(ctx.run(echo, item) for item in items))}


@values.task
async def chain(ctx: TaskContext, start: int, steps: int) -> int:
    for _ in range(steps):
        start = await ctx.run(square, start)
    return start


@values.task
async def descend(ctx: TaskContext, levels: int) -> dict[str, Any]:
    below = await ctx.run(descend, levels - 1) if levels else await ctx.run(ids)
    return {"id": ctx.metadata.task_run_id, "below": below}


@values.task
async def greet_by_keyword(ctx: TaskContext) -> str:
    return await ctx.run(greet, name="Ada", times=2)


@failures.task
def fails(ctx: TaskContext, message: str = "") -> None:
    raise ValueError(message)


@failures.task(retry=Retry(max_retries=3, wait_duration_ms=200, backoff_scaling=2.0))
def flaky(ctx: TaskContext, folder: str, failures: int) -> int:
    return behaviours.fail_until(folder, failures)


@failures.task(retry=Retry(max_retries=1, wait_duration_ms=60_000))
def retries_much_later(ctx: TaskContext) -> None:
    raise RuntimeError("not yet")


@failures.task(retry=Retry(max_retries=1, wait_duration_ms=100))
async def retried_parent(ctx: TaskContext, folder: str) -> int:
    await ctx.run(square, 3)
    return behaviours.fail_until(folder, 1)


@failures.task
async def waits_for_flaky(ctx: TaskContext, folder: str) -> dict[str, int]:
    return {"calls": await ctx.run(flaky, folder, 1)}


@failures.task
async def catches(ctx: TaskContext, message: str) -> str:
    try:
        await ctx.run(fails, message)
    except TaskRunError as error:
        return str(error)
    return "no error"


@failures.task
async def fails_with_child(ctx: TaskContext, message: str) -> None:
    await ctx.run(fails, message)


@failures.task
async def calls_a_stranger(ctx: TaskContext) -> None:
    await ctx.run(stranger)


@failures.task
def leave(ctx: TaskContext, how: str) -> None:
    behaviours.leave(how)


@failures.task
def returns_a_set(ctx: TaskContext) -> set[int]:
    return {1, 2}


@failures.task(timeout_seconds=1)
async def overruns(ctx: TaskContext) -> None:
    await asyncio.sleep(60)


@failures.task
def linger(ctx: TaskContext) -> dict[str, int]:
    return behaviours.linger()


@failures.task
async def sleep(ctx: TaskContext, folder: str, seconds: float) -> None:
    behaviours.leave_pid(folder)
    await asyncio.sleep(seconds)


@failures.task
async def wait_for_sleepers(ctx: TaskContext, folder: str, count: int) -> None:
    behaviours.leave_pid(folder)
    await asyncio.gather(*(ctx.run(sleep, folder, 60) for _ in range(count)))


app = Workflows.from_workflows(values, failures)

if __name__ == "__main__":
    app.start()
