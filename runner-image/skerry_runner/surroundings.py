"""What an attempt needs of its runner, as interfaces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from skerry_runner.messages import Limits, Usage
from skerry_runner.outcomes import Outcome
from skerry_runner.settings import Echo

if TYPE_CHECKING:
    from skerry_runner.attempts import Attempt


class Host(Protocol):
    """The process that carries out an attempt."""

    @property
    def pid(self) -> int | None:
        """Its process id, once known."""

    def stop(self, attempt: Attempt, grace_seconds: float) -> None:
        """Ask user code to end; make it end after `grace_seconds`."""

    def usage(self) -> Usage:
        """What the process has used so far."""


class Outbox(Protocol):
    """Messages to the control plane."""

    def keep(self, attempt: str, seq: int | str, message: bytes) -> None:
        """Send a message, again after each reconnect until it is acknowledged."""

    def keep_logs(self, attempt: str, seq: int, message: bytes) -> bool:
        """As `keep`, but False when too much is waiting already."""

    def post(self, message: bytes) -> None:
        """Send a message once."""

    def forget(self, attempt: str) -> None:
        """Drop whatever is kept for an attempt."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an attempt needs of its runner.

    Attributes:
        grace_seconds: Between SIGTERM and SIGKILL at the deadline.
        busy: Whether somebody could use another place at once.
        settled: Called when the attempt is over, before its `complete` is sent.
        upload: Called with attempt and result text when the result is to go over HTTP; sends `complete` afterwards.
    """

    outbox: Outbox
    limits: Limits
    echo: Echo
    grace_seconds: float
    busy: Callable[[], bool]
    settled: Callable[[Attempt], None]
    upload: Callable[[Attempt, str, Callable[[Outcome, bool], None]], None]
