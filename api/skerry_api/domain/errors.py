"""Every refusal the control plane can give, by what the caller can do about it.

SkerryError
├── InvalidRequest      422  well-formed, but a value is wrong
├── Unauthenticated     401  no key, or one that is not known
├── Forbidden           403  the key does not allow this
├── NotFound            404  no such thing
├── Conflict            409  the state does not allow it
│   └── AttemptSuperseded    a message about an attempt that is over
├── PayloadTooLarge     413  over a stated limit
├── LimitExceeded       429  too much at once; try later
└── Unavailable         503  Postgres is away; nothing was stored
"""

from __future__ import annotations

from typing import Any, ClassVar


class SkerryError(Exception):
    """A refusal with a stable code and a message that says what to do."""

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, *, code: str | None = None, details: dict[str, Any] | None = None) -> None:
        """Refuse with `message`; `code` is stable snake_case, `details` is JSON for programs."""
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.details = details


class InvalidRequest(SkerryError):
    """The request is well-formed, but a value in it cannot be accepted."""

    status = 422
    default_code = "invalid_request"


class Unauthenticated(SkerryError):
    """No API key was given, or it is not known."""

    status = 401
    default_code = "unauthenticated"


class Forbidden(SkerryError):
    """The API key is known, but does not allow this."""

    status = 403
    default_code = "forbidden"


class NotFound(SkerryError):
    """The thing named does not exist, or the key may not see it."""

    status = 404
    default_code = "not_found"


class Conflict(SkerryError):
    """The present state does not allow the request."""

    status = 409
    default_code = "conflict"


class AttemptSuperseded(Conflict):
    """The message speaks for an attempt that has ended or was never this runner's."""

    default_code = "attempt_superseded"


class PayloadTooLarge(SkerryError):
    """An argument, a result or a body is over its limit; nothing was stored."""

    status = 413
    default_code = "payload_too_large"


class LimitExceeded(SkerryError):
    """More than is allowed at once."""

    status = 429
    default_code = "limit_exceeded"


class Unavailable(SkerryError):
    """Postgres cannot be reached; nothing of the request was stored."""

    status = 503
    default_code = "database_unavailable"
