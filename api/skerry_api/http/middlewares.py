"""What holds for every request, as plain ASGI: an id, a bound on its body, and an answer even when a route breaks."""

from __future__ import annotations

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from skerry_api.domain.errors import InvalidRequest, NotFound, PayloadTooLarge, SkerryError
from skerry_api.domain.limits import Limits
from skerry_api.http.contexts import engine_of
from skerry_api.http.failures import UnsupportedMediaType, failure, refusal, request_id

log = structlog.get_logger(__name__)

_API = "/v1/"
_TRIGGER = "/v1/task-runs"
# ASCII escapes make a text up to three times as long as its UTF-8; the arguments themselves are measured exactly later.
_ESCAPES = 3
_ENVELOPE_BYTES = 64 * 1024


class RequestBounds:
    """Gives each request an id and refuses what no route should have to deal with."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        identity = (b"x-request-id", request_id(request).encode())
        started = False

        async def identified(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message["headers"], identity]
            await send(message)

        try:
            if scope["path"].startswith(_API):
                receive = _bounded(request, receive)
            await self._app(scope, receive, identified)
        except SkerryError as error:
            await refusal(request, error)(scope, receive, identified)
        except ClientDisconnect:
            log.info("client_gone", request=request_id(request), method=scope["method"], path=scope["path"])
        except Exception:
            log.exception("request_failed", request=request_id(request), method=scope["method"], path=scope["path"])
            if started:
                raise
            message = "something went wrong in the server; its log has this request's id"
            await failure(request, 500, "internal_error", message)(scope, receive, identified)


def _bounded(request: Request, receive: Receive) -> Receive:
    """`receive` for a request that may go on, with its body held to the limit.

    Raises:
        SkerryError: it may not.
    """
    scope = request.scope
    # Postgres cannot store NUL, so nothing can be named or found by it.
    if "\x00" in scope["path"]:
        raise NotFound("paths must not contain the NUL character")
    if b"%00" in scope["query_string"]:
        raise InvalidRequest("query parameters must not contain the NUL character (%00)")
    if scope["method"] in ("GET", "HEAD"):
        return receive
    headers: dict[bytes, bytes] = dict(scope["headers"])  # Many times as fast as Starlette's for a few look-ups.
    length = headers.get(b"content-length")
    chunked = b"transfer-encoding" in headers
    if chunked or (length is not None and length != b"0"):
        _check_media_type(headers.get(b"content-type", b"").decode("latin-1"))
    limit = _body_limit(scope["path"], engine_of(request).settings.limits)
    if length is not None and int(length) > limit:
        raise _too_large(limit)
    return _counted(receive, limit) if chunked else receive


def _body_limit(path: str, limits: Limits) -> int:
    if path == _TRIGGER:
        return limits.argument_bytes * _ESCAPES + _ENVELOPE_BYTES
    return limits.body_bytes


def _check_media_type(content_type: str) -> None:
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise UnsupportedMediaType(
            f"send the body as 'Content-Type: application/json', not {media_type or 'undeclared'}"
        )


def _counted(receive: Receive, limit: int) -> Receive:
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise _too_large(limit)
        return message

    return counted


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(
        f"the body is larger than {limit:,} bytes. Put large data in object storage and pass its address"
    )
