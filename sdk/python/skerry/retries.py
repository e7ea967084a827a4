"""How often a failed run is tried again, and how long it waits in between."""

from __future__ import annotations

from typing import Any, Final


class Retry:
    """Retry settings of a task: `max_retries` more attempts, the n-th after `wait_duration_ms * backoff_scaling ** n`.

    ```python
    @app.task(retry=Retry(max_retries=3, wait_duration_ms=1000, backoff_scaling=2))  # waits 1, 2, 4 s
    ```

    Attributes:
        max_retries: attempts after the first; 0 turns retries off.
        wait_duration_ms: wait before the first retry, in milliseconds.
        backoff_scaling: factor from one wait to the next, at least 1 (1.5 as in the Render SDK).
    """

    __slots__ = ("backoff_scaling", "max_retries", "wait_duration_ms")

    max_retries: Final[int]
    wait_duration_ms: Final[int]
    backoff_scaling: Final[float]

    def __init__(self, max_retries: int, wait_duration_ms: int = 1000, backoff_scaling: float = 1.5) -> None:
        """Check the numbers.

        Raises:
            ValueError: one of them is out of range.
        """
        if max_retries < 0:
            raise ValueError(f"max_retries must be 0 or more, got {max_retries}")
        if wait_duration_ms < 0:
            raise ValueError(f"wait_duration_ms must be 0 or more, got {wait_duration_ms}")
        if not backoff_scaling >= 1:
            raise ValueError(f"backoff_scaling must be 1 or more, got {backoff_scaling}")
        self.max_retries = max_retries
        self.wait_duration_ms = wait_duration_ms
        self.backoff_scaling = backoff_scaling

    def _key(self) -> tuple[int, int, float]:
        return (self.max_retries, self.wait_duration_ms, self.backoff_scaling)

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Retry) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return "Retry(max_retries={}, wait_duration_ms={}, backoff_scaling={})".format(*self._key())

    def to_socket(self) -> dict[str, Any]:
        """As the runner's socket spells it."""
        return {
            "max_retries": self.max_retries,
            "wait_duration_ms": self.wait_duration_ms,
            "factor": self.backoff_scaling,
        }

    def to_rest(self) -> dict[str, Any]:
        """As the REST API spells it."""
        return {
            "maxRetries": self.max_retries,
            "waitDurationMs": self.wait_duration_ms,
            "factor": self.backoff_scaling,
        }
