"""How fast what only people read is written: Events, and that a run runs. While there is more urgent work, slowly."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

IDLE_AFTER_SECONDS: Final = 1.0
BUSY_A_SECOND: Final = 10.0
IDLE_A_SECOND: Final = 200.0
# Nobody waits longer for a turn: with many long runs the API server must take their writes once, sooner or later.
LONGEST_WAIT_SECONDS: Final = 10.0


class Pace:
    """Whether there is more urgent work."""

    def __init__(self) -> None:
        """Begin without."""
        self._pressed = float("-inf")

    def press(self) -> None:
        """Something urgent was written just now: a Pod was made, or an end recorded."""
        self._pressed = time.monotonic()

    def seconds(self, busy: float, idle: float) -> float:
        """How long to wait between two writes: so many a second while there is urgent work, and while there is none."""
        return 1 / (idle if time.monotonic() - self._pressed > IDLE_AFTER_SECONDS else busy)


class Turns:
    """Says one run after another that it runs. Those that end before their turn need no such write."""

    def __init__(self, pace: Pace, is_due: Callable[[str], bool], turn: Callable[[str], None]) -> None:
        """`turn` is called with a run whose turn it is, unless `is_due` says that there is nothing to say of it any more."""
        self._pace = pace
        self._is_due = is_due
        self._turn = turn
        self._waiting: deque[tuple[str, float]] = deque()
        self._asked: set[str] = set()
        self._granted: set[str] = set()
        self._bell = asyncio.Event()

    def ask(self, name: str) -> None:
        """Have a turn, once."""
        if name not in self._asked:
            self._asked.add(name)
            self._waiting.append((name, time.monotonic()))
            self._bell.set()

    def take(self, name: str) -> bool:
        """Whether it is this run's turn, which is over with that."""
        if name not in self._granted:
            return False
        self._granted.discard(name)
        return True

    async def run(self) -> None:
        """Give turns until cancelled."""
        while True:
            while not self._waiting:
                self._bell.clear()
                await self._bell.wait()
            name, asked = self._waiting.popleft()
            self._asked.discard(name)
            if not self._is_due(name):
                continue
            self._granted.add(name)
            self._turn(name)
            is_late = time.monotonic() - asked > LONGEST_WAIT_SECONDS
            await asyncio.sleep(0 if is_late else self._pace.seconds(BUSY_A_SECOND, IDLE_A_SECOND))
