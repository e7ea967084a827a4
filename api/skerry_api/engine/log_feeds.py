"""Log lines as they pass through this process, for those who follow: a wake-up, not a record."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

Line = Mapping[str, Any]

# A follower that is slower than its logs loses wake-ups, not lines: it reads the record.
QUEUE_LINES = 10_000


class Subscription:
    """The lines one follower has not taken yet."""

    def __init__(self, runs: Collection[str] | None, roots: Collection[str] | None) -> None:
        """Follow some runs, or some trees, or (both None) everything."""
        self._runs = runs
        self._roots = roots
        self._lines: deque[Line] = deque(maxlen=QUEUE_LINES)
        self._wake = asyncio.Event()

    def wants(self, line: Line) -> bool:
        """Whether a line is for this follower."""
        if self._runs is None and self._roots is None:
            return True
        return line["run_id"] in (self._runs or ()) or line["root_run_id"] in (self._roots or ())

    def put(self, line: Line) -> None:
        """A line passed."""
        self._lines.append(line)
        self._wake.set()

    async def next(self, timeout_seconds: float) -> list[Line]:
        """The lines since the last call, waiting for at most `timeout_seconds`; may be empty."""
        if not self._lines:
            self._wake.clear()
            try:
                async with asyncio.timeout(timeout_seconds):
                    await self._wake.wait()
            except TimeoutError:
                return []
        lines = list(self._lines)
        self._lines.clear()
        return lines

    async def __aiter__(self) -> AsyncIterator[list[Line]]:
        while True:
            lines = await self.next(60.0)
            if lines:
                yield lines


class LogFeed:
    """Everybody who follows logs on this process."""

    def __init__(self) -> None:
        """Start with nobody."""
        self._subscriptions: set[Subscription] = set()

    @contextmanager
    def subscribe(self, runs: Collection[str] | None, roots: Collection[str] | None) -> Iterator[Subscription]:
        """Follow while the block lasts."""
        subscription = Subscription(runs, roots)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    @property
    def followed(self) -> bool:
        """Whether anybody follows."""
        return bool(self._subscriptions)

    def publish(self, line: Line) -> None:
        """Give a line to those who want it."""
        for subscription in self._subscriptions:
            if subscription.wants(line):
                subscription.put(line)
