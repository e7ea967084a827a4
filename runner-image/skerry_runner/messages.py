"""What travels between the runner and the control plane: one JSON object per WebSocket text frame, `type` first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, NotRequired, TypedDict

PROTOCOL = 1

Reason = Literal["error", "timeout", "exited", "oom_killed", "payload_too_large", "canceled", "runner_lost"]
Status = Literal["succeeded", "failed", "canceled"]
Stream = Literal["stdout", "stderr"]


class PlanSpec(TypedDict):
    """The compute plan an attempt was given."""

    name: str
    cpu: float
    memory_bytes: int


class Assignment(TypedDict):
    """`assign`: one attempt for this runner; `input` is JSON text, or None when it has to be fetched over HTTP."""

    attempt: str
    token: str
    run: str
    root: str
    parent: str | None
    task: str
    input: str | None
    attempt_number: int
    deadline: str | None
    timeout_seconds: float | None
    traceparent: str | None
    metadata: dict[str, Any]
    # How many attempts begin on this node in the same moment, this one included.
    company: NotRequired[int]
    workflow: str
    plan: PlanSpec | None


class ErrorDetails(TypedDict):
    """An error as the control plane records it."""

    type: str
    message: str
    stack_trace: str | None
    retryable: bool


class ChildFinished(TypedDict):
    """`child_finished`: how a child run of a connected attempt ended."""

    attempt: str
    run: str
    status: Status
    result: str | None
    error: dict[str, Any] | None


class LogEntry(TypedDict):
    """One line of output."""

    time: str
    stream: Stream
    line: str


class Usage(TypedDict):
    """What an attempt used: CPU time in seconds, peak resident memory in bytes."""

    cpu_seconds: float
    max_rss_bytes: int


class Timings(TypedDict):
    """How long an attempt took to begin: the application's import, and assignment to input, in seconds."""

    import_seconds: NotRequired[float]
    start_seconds: NotRequired[float]


@dataclass(slots=True)
class Limits:
    """Limits the control plane sends in `welcome`; the defaults hold until then."""

    argument_bytes: int = 4 * 1024 * 1024
    result_bytes: int = 4 * 1024 * 1024
    log_line_bytes: int = 16 * 1024
    log_lines_per_second: int = 1000

    def update(self, values: dict[str, int]) -> None:
        """Take over the limits that are named in `values`; unknown names are a newer server's."""
        for name in self.__slots__:
            if name in values:
                setattr(self, name, int(values[name]))


def rfc3339(seconds: float) -> str:
    """A moment, in seconds since the epoch, as RFC 3339 UTC text with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
