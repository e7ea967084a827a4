"""Natural batching: at most one batch is in flight, and what arrives meanwhile forms the next.

Alone, a request waits for nothing; under load, round trips and commits are shared. Measured on two cores this is worth a
factor of 2.5 in runs per second and costs a lone request nothing. While several share batches again and again, the next one
sets off a moment later and carries more; a batch that is large already gains nothing by waiting. With 32 runs in flight and
a process for each, this makes 0.8 to 1.1 batches of writes for a run where there would be 1.5.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

# How long a batch lets others join, unless many share it already, while there is a crowd: that many shared batches lately.
JOIN_SECONDS = 0.008
CROWD = 4
LATELY_SECONDS = 0.2
MANY = 24

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Gathers items while a batch is being carried out, and hands each its own result or error."""

    def __init__(
        self, execute: Callable[[Sequence[Item]], Awaitable[Sequence[Result | BaseException]]], *, size: int
    ) -> None:
        """`execute` carries out up to `size` items and answers one outcome per item, in order; it may raise for all."""
        self._execute = execute
        self._size = size
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._loop_task: asyncio.Task[None] | None = None
        self._shared: deque[float] = deque([-math.inf] * CROWD, CROWD)
        self.batches = 0
        self.items = 0

    def submit(self, item: Item) -> asyncio.Future[Result]:
        """Queue `item`; the future gets its result once its batch is done."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._loop_task is None:
            self._loop_task = asyncio.create_task(self._run(), name="batcher")
        return future

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._size], self._waiting[self._size :]
                self.batches += 1
                self.items += len(batch)
                await self._settle(batch)
                if len(batch) > 1:
                    self._shared.append(time.monotonic())
                if self._is_crowded and len(batch) + len(self._waiting) < MANY:
                    await asyncio.sleep(JOIN_SECONDS)
        finally:
            self._loop_task = None
            for _, future in self._waiting:
                future.cancel()

    @property
    def _is_crowded(self) -> bool:
        return time.monotonic() - self._shared[0] < LATELY_SECONDS

    async def _settle(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            outcomes: Sequence[Result | BaseException] = await self._execute([item for item, _ in batch])
        except Exception as error:  # Every member learns of it; the batcher itself goes on.
            outcomes = [error] * len(batch)
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if future.done():
                continue
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

    async def close(self, deadline_seconds: float = 5.0) -> None:
        """Let the present batch and what waits finish, for at most `deadline_seconds`."""
        running = self._loop_task
        if running is not None:
            _, late = await asyncio.wait([running], timeout=deadline_seconds)
            for task in late:
                task.cancel()
