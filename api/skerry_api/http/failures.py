"""Refusals as replies: every error has the same body, whoever raised it."""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route

from skerry_api.domain.errors import SkerryError
from skerry_api.http.schemas.failures import Failure

_CODES = {400: "malformed_request", 404: "not_found", 405: "method_not_allowed"}
_DESCRIPTIONS = {
    400: "The body is not JSON.",
    401: "No API key was given, or it is not known.",
    403: "The API key does not allow this.",
    404: "There is no such thing, or the key may not see it.",
    409: "The present state does not allow it.",
    413: "The body is over its limit; nothing was stored.",
    415: "The body is not declared as JSON.",
    422: "A value is wrong; `details` names it.",
    429: "Too much at once; try again after `Retry-After` seconds.",
    503: "Postgres is away; nothing was stored. Try again.",
}
_RETRY_AFTER_SECONDS = "1"
# Cheaper than `ids.new_id`, since nothing is sorted or stored by it.
_PROCESS = secrets.token_hex(6)
_counter = itertools.count(1)


class MalformedBody(SkerryError):
    """The body cannot be read as JSON at all."""

    status = 400
    default_code = "malformed_json"


class UnsupportedMediaType(SkerryError):
    """The body is not declared as JSON, which also keeps web pages from posting forms to a server on this machine."""

    status = 415
    default_code = "unsupported_media_type"


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error replies of an operation, for its documentation."""
    return {status: {"model": Failure, "description": _DESCRIPTIONS[status]} for status in sorted(statuses)}


READ = documented(401, 403, 422, 503)
READ_ONE = documented(401, 403, 404, 422, 503)
CHANGE = documented(401, 403, 404, 409, 422, 503)
WRITE = documented(400, 401, 403, 409, 413, 415, 422, 503)
WRITE_ONE = documented(400, 401, 403, 404, 413, 415, 422, 503)
TRIGGER = documented(400, 401, 403, 404, 409, 413, 415, 422, 429, 503)


def request_id(connection: HTTPConnection) -> str:
    """The id of a request; it is in the log, in every error's body and in the header `x-request-id`."""
    state = connection.scope.setdefault("state", {})
    known: str | None = state.get("request_id")
    if known is None:
        known = state["request_id"] = f"req-{_PROCESS}{next(_counter):08x}"
    return known


def failure(
    connection: HTTPConnection, status: int, code: str, message: str, details: Any = None, headers: Any = None
) -> Response:
    """A reply that refuses a request."""
    body = {"id": request_id(connection), "code": code, "message": message}
    if details:
        body["details"] = details
    # The standard library's encoder, because a message may quote half a surrogate pair, which must be escaped.
    return Response(json.dumps(body).encode(), status, headers, media_type="application/json")


def refusal(connection: HTTPConnection, error: SkerryError) -> Response:
    """The reply for an error of the domain."""
    headers = {}
    if error.status == 401:
        headers["www-authenticate"] = 'Bearer realm="skerry"'
    if error.status in (429, 503):
        headers["retry-after"] = _RETRY_AFTER_SECONDS
    return failure(connection, error.status, error.code, error.message, error.details, headers)


async def on_skerry_error(request: Request, error: Exception) -> Response:
    """Exception handler for the domain's errors."""
    assert isinstance(error, SkerryError)
    return refusal(request, error)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Exception handler for what the framework refuses: unknown paths, wrong methods, unreadable bodies."""
    assert isinstance(error, HTTPException)
    # The framework turns what goes wrong while a body is read into a 400 of its own.
    if isinstance(error.__cause__, SkerryError):
        return refusal(request, error.__cause__)
    message, headers = error.detail, error.headers
    if error.status_code == 404:
        message = f"there is nothing at {request.method} {request.url.path}; see /openapi.json"
    elif error.status_code == 405:
        allowed = _allowed_methods(request)
        message = f"{request.method} is not possible at {request.url.path}, only {allowed}"
        headers = {"allow": allowed}
    code = _CODES.get(error.status_code) or HTTPStatus(error.status_code).name.lower()
    return failure(request, error.status_code, code, message, headers=headers)


def _allowed_methods(request: Request) -> str:
    # The framework names the methods of the first matching route only. A path without parameters hides those with.
    routes = [route for route in request.app.routes if isinstance(route, Route) and _fits(route, request.url.path)]
    exact = [route for route in routes if not route.param_convertors]
    return ", ".join(sorted({method for route in exact or routes for method in route.methods or ()}))


def _fits(route: Route, path: str) -> bool:
    return route.path_regex.match(path) is not None


async def on_invalid_values(request: Request, error: Exception) -> Response:
    """Exception handler for bodies and parameters that do not fit their schema."""
    assert isinstance(error, RequestValidationError)
    return invalid_values(request, error)


def invalid_values(connection: HTTPConnection, error: RequestValidationError) -> Response:
    """The reply for bodies and parameters that do not fit their schema."""
    problems = error.errors()
    malformed = next((problem for problem in problems if problem["type"] == "json_invalid"), None)
    if malformed is not None:
        reason = (malformed.get("ctx") or {}).get("error") or malformed["msg"]
        return failure(connection, 400, MalformedBody.default_code, f"the body is not JSON: {reason}")
    details = [_detail(problem) for problem in problems[:20]]
    message = "; ".join(f"{detail['field']}: {detail['message']}" for detail in details[:3])
    return failure(connection, 422, "invalid_request", message, details)


def _detail(problem: dict[str, Any]) -> dict[str, str]:
    return {"field": _field(problem["loc"]), "message": _sentence(problem["msg"])}


def _field(location: Sequence[int | str]) -> str:
    inside = location[1:] if location and location[0] in ("body", "query", "path", "header") else location
    return ".".join(str(part) for part in inside) or "body"


def _sentence(message: str) -> str:
    return message.removeprefix("Value error, ")
