"""How an attempt ended, decided from facts alone: no clocks, no processes, no sockets."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import Literal, assert_never

from skerry_runner.messages import ErrorDetails, Reason, Status

Ending = Literal["canceled", "timeout", "stopping", "memory"]


@dataclass(frozen=True, slots=True)
class Returned:
    """The callback brought a result: JSON text of `size` bytes, None when too large to keep or empty."""

    result: str | None
    size: int


@dataclass(frozen=True, slots=True)
class Raised:
    """The callback brought an error."""

    message: str
    type: str = "Error"
    stack_trace: str | None = None
    retryable: bool = True


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory that was used and allowed, in bytes; None where the kernel does not tell."""

    used_bytes: int | None
    allowed_bytes: int | None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known when an attempt ends.

    Attributes:
        callback: What the process reported, if it did.
        ending: Why the runner ended the process; None when it did not.
        wait_status: As from `os.wait`; None while the process lives or when it is unknown.
        asked_input: Whether the process came as far as asking for its input.
        memory: Set when too much memory ended the process.
        lost: What took the process away together with its parent, in words.
        broken: An import failure that kept every process from starting.
        timeout_seconds: The attempt's timeout.
        result_limit: Largest result, in bytes.
        stderr_tail: The last lines of stderr.
    """

    callback: Returned | Raised | None = None
    ending: Ending | None = None
    wait_status: int | None = None
    asked_input: bool = True
    memory: Memory | None = None
    lost: str | None = None
    broken: Raised | None = None
    timeout_seconds: float | None = None
    result_limit: int = 4 * 1024 * 1024
    stderr_tail: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is reported: see `complete` in the protocol."""

    status: Status
    result: str | None = None
    error: ErrorDetails | None = None
    reason: Reason | None = None


def decide_outcome(facts: Facts) -> Outcome:
    """How the attempt ended.

    What the runner did comes first: a result that arrives after the deadline or after a cancellation is late. A runner that
    is stopping still honours a result, but not an error, which its own SIGTERM most likely provoked.
    """
    match facts.ending:
        case "canceled":
            return Outcome("canceled", error=_error("RunCanceled", "the run was canceled"), reason="canceled")
        case "timeout":
            return _failed(
                "timeout", "TimeoutError", f"ran longer than its timeout of {_seconds(facts.timeout_seconds)}"
            )
        case "memory":
            return _out_of_memory(facts)
        case "stopping" if not isinstance(facts.callback, Returned):
            return _failed("runner_lost", "RunnerLost", "the runner was told to stop before the attempt could finish")
        case "stopping" | None:
            return _by_callback(facts)
        case unknown:
            assert_never(unknown)


def _by_callback(facts: Facts) -> Outcome:
    callback = facts.callback
    if isinstance(callback, Returned):
        if callback.size > facts.result_limit:
            return _failed("payload_too_large", "PayloadTooLarge", _too_large(callback.size, facts.result_limit))
        return Outcome("succeeded", result=callback.result)
    if callback is not None:
        error = ErrorDetails(
            type=callback.type, message=callback.message, stack_trace=callback.stack_trace, retryable=callback.retryable
        )
        return Outcome("failed", error=error, reason="error")
    return _by_exit(facts)


def _by_exit(facts: Facts) -> Outcome:
    if facts.broken is not None:
        return _failed("error", facts.broken.type, facts.broken.message, facts.broken.stack_trace)
    if facts.lost is not None:
        return _failed("runner_lost", "RunnerLost", facts.lost)
    if facts.memory is not None:
        return _out_of_memory(facts)
    moment = "before returning a result" if facts.asked_input else "before asking for its input"
    message = f"the process {describe_status(facts.wait_status)} {moment}"
    return _failed("exited", "ProcessExited", message, facts.stderr_tail or None)


def describe_status(wait_status: int | None) -> str:
    """A wait status in words, such as `was killed by signal 11 (SIGSEGV)`."""
    if wait_status is None:
        return "disappeared"
    code = os.waitstatus_to_exitcode(wait_status)
    if code >= 0:
        return f"exited with status {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:  # a real-time signal has no name
        return f"was killed by signal {-code}"
    return f"was killed by signal {-code} ({name})"


def _out_of_memory(facts: Facts) -> Outcome:
    memory = facts.memory or Memory(None, None)
    used = "more memory than it may" if memory.used_bytes is None else f"{_size(memory.used_bytes)} of memory"
    allowed = "" if memory.allowed_bytes is None else f", allowed are {_size(memory.allowed_bytes)}"
    message = f"killed because it used {used}{allowed}; give the task a larger plan or less data at a time"
    return _failed("oom_killed", "OutOfMemory", message)


def _too_large(size: int, limit: int) -> str:
    return (
        f"the result is {_size(size)} and may be at most {_size(limit)}; "
        "store large data elsewhere, an object store for instance, and return a reference to it"
    )


def _failed(reason: Reason, kind: str, message: str, stack_trace: str | None = None) -> Outcome:
    return Outcome("failed", error=_error(kind, message, stack_trace), reason=reason)


def _error(kind: str, message: str, stack_trace: str | None = None) -> ErrorDetails:
    return ErrorDetails(type=kind, message=message, stack_trace=stack_trace, retryable=True)


def _seconds(value: float | None) -> str:
    return "unknown length" if value is None else f"{value:g} s"


def _size(count: int) -> str:
    """A number of bytes for people: binary units, one decimal."""
    if count < 1024:
        return f"{count} bytes"
    amount = float(count)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        amount /= 1024
        if amount < 1024 or unit == "TiB":
            return f"{amount:.1f} {unit}".replace(".0 ", " ")
    raise AssertionError("unreachable: the last unit returns")
