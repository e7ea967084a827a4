"""How fast what only people read is written: Events, and that a run runs. While the API server is busy, slowly."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

# A healthy etcd commits within 25 ms (99th percentile, by its FAQ). When writes take longer on average, others wait for them.
BUSY_SECONDS: Final = 0.025
IDLE_AFTER_SECONDS: Final = 1.0
BUSY_A_SECOND: Final = 10.0
IDLE_A_SECOND: Final = 200.0
# Nobody waits longer for a turn: with many long runs the API server must take their writes once, sooner or later.
LONGEST_WAIT_SECONDS: Final = 30.0
# The average is that of about twenty answers.
_WEIGHT: Final = 0.05
# As good as this long: one makes the pace slow until a dozen others were answered quickly.
_REFUSED_SECONDS: Final = 1.0


class Pace:
    """How busy the API server is, by the time that it takes for writes."""

    def __init__(self) -> None:
        """Begin with one that has nothing to do."""
        self._average = 0.0
        self._answered = float("-inf")

    def answered(self, seconds: float) -> None:
        """A write was answered after so long."""
        if self._is_over:
            self._average = 0.0
        self._average += (seconds - self._average) * _WEIGHT
        self._answered = time.monotonic()

    def refused(self) -> None:
        """A write was not taken, however quickly that was said: the API server has too much to do, or is away."""
        self.answered(_REFUSED_SECONDS)

    def seconds(self, busy: float, idle: float) -> float:
        """How long to wait between two writes: so many a second while the API server is busy, and while it is not."""
        return 1 / (busy if self._average > BUSY_SECONDS and not self._is_over else idle)

    @property
    def _is_over(self) -> bool:
        """Whether nothing was written lately, so that it is not known how busy the API server is."""
        return time.monotonic() - self._answered > IDLE_AFTER_SECONDS


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
