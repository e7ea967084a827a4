"""A load: so many objects, asked for at a steady rate, and the wait for their end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.operator import audits, credentials
from benchmarks.operator.audits import Trail, Write
from benchmarks.operator.planes import NAMESPACE, Plane
from benchmarks.processes import BenchmarkError
from skerry_objects.clients import ApiError, Client, Resource, Unreachable

Json = dict[str, Any]
Done = Callable[[Resource, Json], bool | None]

# Requests at once; half as many as the operator makes.
AT_ONCE = 16
POLL_SECONDS = 0.25
# Pods run for one second: when nothing was written for longer, it is worth asking whether all is over.
QUIET_SECONDS = 2.5
STUCK_SECONDS = 60.0


@dataclass(frozen=True)
class Load:
    """What was asked for, and what was written on the way.

    Attributes:
        began: Just before the first request, seconds since the epoch.
        writes: By anybody, until the end was noticed.
    """

    began: float
    writes: list[Write]


def run(
    plane: Plane, resource: Resource, bodies: list[Json], rate: float, done: Done, others: Sequence[Resource] = ()
) -> Load:
    """Create TaskRuns, Jobs or RunnerPools and wait until all are `done`.

    Args:
        plane: Where.
        resource: Which of them.
        bodies: The objects.
        rate: How many a second are asked for, if the API server takes them.
        done: Whether an object came to the end that is waited for; None: not yet, False: to another.
        others: Kinds of which all objects must be done too.

    Raises:
        BenchmarkError: One was refused or came to another end, or nothing has moved for a while.
    """
    try:
        return asyncio.run(_run(plane, resource, bodies, rate, done, others))
    except ExceptionGroup as problems:
        raise BenchmarkError(f"{resource.plural}: {problems.exceptions[0]}") from problems
    except (ApiError, Unreachable) as problem:
        raise BenchmarkError(f"{resource.plural}: {problem}") from problem


async def _run(
    plane: Plane, resource: Resource, bodies: list[Json], rate: float, done: Done, others: Sequence[Resource]
) -> Load:
    names, trail = [body["metadata"]["name"] for body in bodies], Trail(plane.audit)
    async with Client(plane.configuration(credentials.CLIENT), connections=AT_ONCE) as client:

        async def over() -> bool:
            return await _are_done(client, resource, names, done) and all(
                [await _are_done(client, other, None, done) for other in others]
            )

        began = time.time()
        await _create(client, resource, bodies, rate)
        return Load(began, await _until(over, trail, resource.plural))


async def _are_done(client: Client, resource: Resource, names: Collection[str] | None, done: Done) -> bool:
    """Whether the objects of these names, or all, came to the end that is waited for."""
    items, _ = await client.list(resource, NAMESPACE)
    ends = {item["metadata"]["name"]: done(resource, item) for item in items}
    asked = ends if names is None else names
    wrong = [name for name in asked if ends.get(name) is False]
    if wrong:
        raise BenchmarkError(f"{len(wrong)} {resource.plural} came to a wrong end, such as {wrong[0]}")
    return all(ends.get(name) for name in asked)


async def _create(client: Client, resource: Resource, bodies: list[Json], rate: float) -> None:
    turns = asyncio.Semaphore(AT_ONCE)
    began = time.monotonic()

    async def create(body: Json) -> None:
        try:
            await client.create(resource, NAMESPACE, body)
        finally:
            turns.release()

    async with asyncio.TaskGroup() as group:
        for number, body in enumerate(bodies):
            await asyncio.sleep(began + number / rate - time.monotonic())
            await turns.acquire()
            group.create_task(create(body))


async def _until(over: Callable[[], Awaitable[bool]], trail: Trail, what: str) -> list[Write]:
    """Everything written until all is over; that is asked for only when it is quiet, as the answer is expensive."""
    writes: list[Write] = []
    moved, asked = time.monotonic(), 0.0
    while True:
        await asyncio.sleep(POLL_SECONDS)
        news, now = trail.read(), time.monotonic()
        writes += news
        if any(write.resource not in audits.NOT_WORK for write in news):
            moved = now
        if now - max(moved, asked) > QUIET_SECONDS:
            if await over():
                return writes
            asked = time.monotonic()
        if now - moved > STUCK_SECONDS:
            raise BenchmarkError(f"{what}: not all came to their end, and nothing has moved for {STUCK_SECONDS:.0f} s")
