"""How often and how soon a failed run is tried again."""

from __future__ import annotations

from dataclasses import dataclass

MAX_WAIT_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Retry:
    """A task's retry policy; the defaults are Render's for a task that states none (3 retries after 1, 2 and 4 s).

    Attributes:
        max_retries: attempts after the first; 0 never tries again.
        wait_duration_ms: wait before the first retry, in milliseconds.
        factor: each further wait is this many times the last.
    """

    max_retries: int = 3
    wait_duration_ms: int = 1000
    factor: float = 2.0

    def wait_ms(self, retries_done: int) -> int:
        """Milliseconds to wait after failure number `retries_done` + 1; never more than a day."""
        exponent = min(retries_done, 64)
        return int(min(self.wait_duration_ms * self.factor**exponent, MAX_WAIT_MS))
