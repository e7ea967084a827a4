"""Tasks as users of `render_sdk` 0.6.0 write them."""

import asyncio
from typing import Any

import behaviours
from render_sdk import Retry, Workflows
from render_sdk.client.errors import TaskRunError

ONCE = Retry(max_retries=0, wait_duration_ms=100)
values = Workflows(default_retry=ONCE)
failures = Workflows(default_retry=ONCE)
elsewhere = Workflows()


@elsewhere.task
def stranger() -> None:
    """A task this program never registers."""


@values.task
def square(a: int) -> int:
    """Square a number."""
    return a * a


@values.task
def echo(value: Any = None) -> Any:
    return value


@values.task
def greet(name: str, greeting: str = "Hello", times: int = 1) -> str:
    return behaviours.greeting(name, greeting, times)


@values.task
def collect(*items: Any, **named: Any) -> dict[str, Any]:
    return {"items": items, "named": named}


@values.task
def surroundings() -> dict[str, Any]:
    return behaviours.surroundings()


@values.task
def produce(characters: int) -> str:
    return "x" * characters


@values.task
def speak(line: str) -> None:
    behaviours.speak(line)


@values.task(name="renamed-task", plan="starter", timeout_seconds=60, retry=Retry(2, 250, backoff_scaling=2.0))
def original_name(a: int, b: str = "b") -> int:
    return a


@values.task
async def relay(items: list[Any]) -> dict[str, Any]:
    """What a parent receives for each of `items` when a child returns it; all children at once."""
    return {"received": await asyncio.gather(*(echo(item) for item in items))}


@values.task
async def chain(start: int, steps: int) -> int:
    for _ in range(steps):
        start = await square(start)
    return start


@values.task
async def descend(levels: int) -> dict[str, Any]:
    return {"level": levels, "below": await descend(levels - 1) if levels else None}


@values.task
async def greet_by_keyword() -> str:
    return await greet(name="Ada", times=2)


@failures.task
def fails(message: str = "") -> None:
    raise ValueError(message)


@failures.task(retry=Retry(max_retries=3, wait_duration_ms=200, backoff_scaling=2.0))
def flaky(folder: str, failures: int) -> int:
    return behaviours.fail_until(folder, failures)


@failures.task(retry=Retry(max_retries=1, wait_duration_ms=60_000))
def retries_much_later() -> None:
    raise RuntimeError("not yet")


@failures.task(retry=Retry(max_retries=1, wait_duration_ms=100))
async def retried_parent(folder: str) -> int:
    await square(3)
    return behaviours.fail_until(folder, 1)


@failures.task
async def waits_for_flaky(folder: str) -> dict[str, int]:
    return {"calls": await flaky(folder, 1)}


@failures.task
async def catches(message: str) -> str:
    try:
        await fails(message)
    except TaskRunError as error:
        return str(error)
    return "no error"


@failures.task
async def fails_with_child(message: str) -> None:
    await fails(message)


@failures.task
async def calls_a_stranger() -> None:
    await stranger()


@failures.task
def leave(how: str) -> None:
    behaviours.leave(how)


@failures.task
def returns_a_set() -> set[int]:
    return {1, 2}


@failures.task(timeout_seconds=1)
async def overruns() -> None:
    await asyncio.sleep(60)


@failures.task
def linger() -> dict[str, int]:
    return behaviours.linger()


@failures.task
async def sleep(folder: str, seconds: float) -> None:
    behaviours.leave_pid(folder)
    await asyncio.sleep(seconds)


@failures.task
async def wait_for_sleepers(folder: str, count: int) -> None:
    behaviours.leave_pid(folder)
    await asyncio.gather(*(sleep(folder, 60) for _ in range(count)))


app = Workflows.from_workflows(values, failures)

if __name__ == "__main__":
    app.start()
