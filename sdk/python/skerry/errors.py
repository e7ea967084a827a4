"""Everything that Skerry raises, by what can be done about it.

SkerryError
├── NonRetryable          raise it in a task: the run fails at once, without retries
├── SerializationError    a value has no JSON form; nothing was sent
├── InvalidInput          arguments do not fit the task's parameters
├── TaskRunError          a run that was waited for did not succeed
│   ├── RunCanceled           it was canceled
│   └── TaskTimeout           it ran longer than its timeout
├── WaitTimeout           the wait ended before the run did; the run goes on (also a TimeoutError)
├── OutsideRun            something that only a run has was asked for elsewhere
├── ConfigurationError    an environment variable or target is missing or wrong
├── ConnectionFailed      the server did not answer at all
│   └── RequestTimeout        … within the time given
└── ApiError              the server answered with a refusal: `status`, `code`, `message`
    ├── InvalidRequest        400, 422
    ├── Unauthorized          401
    ├── Forbidden             403
    ├── NotFound              404
    ├── Conflict              409
    ├── PayloadTooLarge       413
    ├── RateLimited           429; `retry_after_seconds`
    └── ServerUnavailable     5xx
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class SkerryError(Exception):
    """The root of all errors that Skerry raises on purpose."""


class NonRetryable(SkerryError):
    """Raised by a task to fail its run at once, whatever its retry settings. Subclasses count too."""


class SerializationError(SkerryError, TypeError):
    """A value has no JSON form. The message names its path; nothing was sent."""


class InvalidInput(SkerryError, TypeError):
    """Arguments do not fit the task's parameters. The message names the parameter; such a run is not retried."""


class TaskRunError(SkerryError):
    """A run that was waited for did not succeed.

    Attributes:
        run_id: the run that failed.
        task: its task's name, as far as it is known.
        type: class name of the remote exception, None if there was none.
        message: its message.
        stack_trace: the remote stack trace, None if there is none.
        status: `failed` or `canceled`.
    """

    def __init__(
        self,
        message: str,
        *,
        run_id: str = "",
        task: str | None = None,
        type: str | None = None,
        stack_trace: str | None = None,
        status: str = "failed",
    ) -> None:
        """Describe the failed run `run_id` of `task`."""
        self.run_id = run_id
        self.task = task
        self.type = type
        self.message = message
        self.stack_trace = stack_trace
        self.status = status
        super().__init__(message)

    @property
    def summary(self) -> str:
        """Which run ended how, and why, in one line."""
        subject = f"{self.task or 'run'} ({self.run_id})" if self.run_id else self.task or "run"
        cause = f"{self.type}: {self.message}" if self.type else self.message
        return f"{subject} {self.status}: {cause}"

    def __str__(self) -> str:
        """The summary, followed by the remote stack trace if there is one."""
        if not self.stack_trace:
            return self.summary
        return f"{self.summary}\n\nRemote stack trace:\n{self.stack_trace.rstrip()}"


class RunCanceled(TaskRunError):
    """The run was canceled before it finished."""


class TaskTimeout(TaskRunError):
    """The run was stopped because it ran longer than its timeout."""


class WaitTimeout(SkerryError, TimeoutError):
    """The caller's patience ended before the run did. The run goes on."""


class OutsideRun(SkerryError, RuntimeError):
    """Something that only exists inside a run was asked for outside one."""


class ConfigurationError(SkerryError):
    """A setting, an environment variable or a target is missing or wrong; the message says which."""


class ConnectionFailed(SkerryError, ConnectionError):
    """The server could not be reached, or hung up without an answer."""


class RequestTimeout(ConnectionFailed, TimeoutError):
    """The server did not answer in the time given."""


class ApiError(SkerryError):
    """The server refused a request.

    Attributes:
        status: HTTP status.
        code: stable snake_case word for programs.
        message: the server's sentence for people.
        request_id: what to look for in the server's log.
        details: further JSON, for example the fields that are wrong.
        retry_after_seconds: when to try again, if the server said so.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str = "",
        request_id: str | None = None,
        details: Any = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        """Describe a refusal with HTTP `status` and a stable `code`."""
        self.status = status
        self.code = code
        self.message = message
        self.request_id = request_id
        self.details = details
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"{message} (HTTP {status}, {code})" if code else f"{message} (HTTP {status})")


class InvalidRequest(ApiError):
    """400 or 422: the request is malformed, or a value in it is wrong."""


class Unauthorized(ApiError):
    """401: no API key, or one that is not known. Set `SKERRY_API_KEY`."""


class Forbidden(ApiError):
    """403: the API key does not allow this."""


class NotFound(ApiError):
    """404: there is no such thing, or the key may not see it."""


class Conflict(ApiError):
    """409: the present state does not allow it."""


class PayloadTooLarge(ApiError):
    """413: arguments, result or body are over the limit."""


class RateLimited(ApiError):
    """429: too much at once; `retry_after_seconds` says when to try again."""


class ServerUnavailable(ApiError):
    """5xx: the server cannot serve this now."""


_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: InvalidRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: PayloadTooLarge,
    422: InvalidRequest,
    429: RateLimited,
}


def error_for_status(status: int, body: Any, *, retry_after_seconds: float | None = None) -> ApiError:
    """The error for a refusal: its class from `status`, its words from the decoded `body` (whatever that is)."""
    fields = body if isinstance(body, Mapping) else {}
    kind = _BY_STATUS.get(status) or (ServerUnavailable if status >= 500 else ApiError)
    return kind(
        str(fields.get("message") or f"the server answered with status {status}"),
        status=status,
        code=str(fields.get("code") or ""),
        request_id=fields.get("id"),
        details=fields.get("details"),
        retry_after_seconds=retry_after_seconds,
    )


# How the platform reports a timeout where it gives no reason: its words tell it from a TimeoutError of the task's own.
_TIMEOUT_WORDS = "ran longer than its timeout"


def error_for_run(
    *,
    run_id: str,
    task: str | None,
    status: str,
    message: str | None,
    type: str | None = None,
    stack_trace: str | None = None,
    reason: str | None = None,
) -> TaskRunError:
    """The error for a run that ended without a result."""
    kind = TaskRunError
    if status == "canceled":
        kind = RunCanceled
    elif reason == "timeout" or (type == "TimeoutError" and (message or "").startswith(_TIMEOUT_WORDS)):
        kind = TaskTimeout
    text = message or ("it was canceled" if status == "canceled" else "it failed without a message")
    return kind(text, run_id=run_id, task=task, type=type, stack_trace=stack_trace, status=status)
