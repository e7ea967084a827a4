"""Drives Celery. Its client blocks, so runs in flight are a window of results awaited in order."""

import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from celery import chain, group

from benchmarks.drivers import Answer, Driver, serve
from benchmarks.systems.celery.tasks import hop, now

DEADLINE = 60


class CeleryDriver(Driver):
    async def once(self) -> int:
        return now.delay().get(timeout=DEADLINE)

    async def chain(self, hops: int) -> list[int]:
        first, *others = [hop.s() for _ in range(hops)]
        return chain(first.clone(args=([],)), *others)().get(timeout=DEADLINE)

    async def fan(self, children: int) -> int:
        return len(group(now.s() for _ in range(children))().get(timeout=DEADLINE))

    async def burst(self, runs: int, in_flight: int, seconds: float) -> list[float]:
        stop_at = time.monotonic() + seconds
        taken: list[float] = []
        window = deque()

        def settle() -> None:
            begun, result = window.popleft()
            result.get(timeout=DEADLINE)
            taken.append(time.monotonic() - begun)

        for _ in range(runs):
            begun = time.monotonic()
            if begun >= stop_at:
                break
            window.append((begun, now.delay()))
            if len(window) == in_flight:
                settle()
        while window:
            settle()
        return taken


@asynccontextmanager
async def opened(_: Answer) -> AsyncIterator[Driver]:
    yield CeleryDriver()


if __name__ == "__main__":
    serve(opened)
