"""A queue of keys: each at most once, each in one worker at a time, in three lanes, with waits and back-off of its own."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

import structlog

log = structlog.get_logger(__name__)

Key = TypeVar("Key")

FIRST_BACK_OFF: Final = 0.5
LONGEST_BACK_OFF: Final = 30.0
# In a burst many begin while few have ended, and a late beginning delays more than a late record of an end.
NEW_IN_A_ROW: Final = 4


class Postponed(Exception):
    """A key cannot be handled now; try again after back-off, and at least after `seconds`."""

    def __init__(self, message: str, seconds: float = 0.0) -> None:
        """Say why."""
        super().__init__(message)
        self.seconds = seconds


class Queue(Generic[Key]):
    """Keys to look at. What is added while it is being looked at is looked at once more."""

    def __init__(self) -> None:
        """Begin empty."""
        self._spaced: deque[Key] = deque()
        self._new: deque[Key] = deque()
        self._ready: deque[Key] = deque()
        self._in_a_row = 0
        self._waiting: set[Key] = set()
        self._active: set[Key] = set()
        self._again: set[Key] = set()
        # When a key is due; the heap may also have entries that were overtaken since.
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._count = 0
        self._failures: dict[Key, int] = {}
        # When keys were looked at last that are not to be looked at too often.
        self._looked: dict[Key, float] = {}
        self._bell = asyncio.Event()

    def __len__(self) -> int:
        """How many wait for a worker."""
        return len(self._spaced) + len(self._new) + len(self._ready)

    def add(self, key: Key, delay: float = 0.0, *, spacing: float = 0.0, is_new: bool = False) -> None:
        """Look at `key`, now or in `delay` seconds; an earlier moment that is set already stays.

        With a `spacing`, the look is at least so many seconds after the last one; what is looked at so seldom need not
        wait behind thousands of others. What `is_new` goes before the rest, but does not hold it up for long.
        """
        now = time.monotonic()
        if spacing > 0:
            delay = max(delay, self._looked.setdefault(key, float("-inf")) + spacing - now)
        if delay > 0:
            moment = now + delay
            if moment < self._due.get(key, float("inf")):
                self._due[key] = moment
                self._count += 1
                heapq.heappush(self._heap, (moment, self._count, key))
        elif key in self._active:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            lane = self._spaced if key in self._looked else self._new if is_new else self._ready
            lane.append(key)
        self._bell.set()

    async def run(self, workers: int, handle: Callable[[Key], Awaitable[float | None]]) -> None:
        """Have `workers` handle keys until cancelled. A handler may return after how many seconds to come back."""
        available = asyncio.Semaphore(workers)
        async with asyncio.TaskGroup() as group:
            while True:
                await available.acquire()
                key = await self._take()
                task = group.create_task(self._work(key, handle))
                task.add_done_callback(lambda _: available.release())

    async def _take(self) -> Key:
        while True:
            self._bell.clear()
            nearest = self._promote()
            if self:
                key = self._pop()
                self._waiting.discard(key)
                self._active.add(key)
                self._due.pop(key, None)
                if key in self._looked:
                    self._looked[key] = time.monotonic()
                return key
            try:
                async with asyncio.timeout(nearest):
                    await self._bell.wait()
            except TimeoutError:
                continue

    def _pop(self) -> Key:
        if self._spaced:
            return self._spaced.popleft()
        if self._new and (self._in_a_row < NEW_IN_A_ROW or not self._ready):
            self._in_a_row += 1
            return self._new.popleft()
        self._in_a_row = 0
        return self._ready.popleft()

    def _promote(self) -> float | None:
        """Make ready what is due; returns in how many seconds the next is."""
        now = time.monotonic()
        while self._heap:
            moment, _, key = self._heap[0]
            if self._due.get(key) != moment:
                heapq.heappop(self._heap)
            elif moment > now:
                return moment - now
            else:
                heapq.heappop(self._heap)
                del self._due[key]
                self.add(key)
        return None

    async def _work(self, key: Key, handle: Callable[[Key], Awaitable[float | None]]) -> None:
        wait: float | None = None
        try:
            wait = await handle(key)
            self._failures.pop(key, None)
        except Postponed as reason:
            wait = max(self._next_back_off(key), reason.seconds)
            log.warning("reconciliation_postponed", key=key, reason=str(reason), seconds=wait)
        except Exception:
            # One object that cannot be handled must not stop the others.
            wait = self._next_back_off(key)
            log.exception("reconciliation_failed", key=key, seconds=wait)
        finally:
            self._active.discard(key)
            again = key in self._again or wait == 0
            self._again.discard(key)
        if again:
            self.add(key)
        if wait:
            self.add(key, wait)

    def _next_back_off(self, key: Key) -> float:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        return min(LONGEST_BACK_OFF, FIRST_BACK_OFF * (1 << min(failures, 10)))
