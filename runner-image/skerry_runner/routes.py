"""What user processes may ask on their slot's socket.

Shapes are those of Render's SDKs, with the additions of ours; base64 fields hold UTF-8 JSON text.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol

import orjson

from skerry_runner.attempts import Attempt
from skerry_runner.calls import BadCall, text_from_base64
from skerry_runner.outcomes import Raised, Returned
from skerry_runner.requests import Exchange
from skerry_runner.waits import wait_seconds


class Guest(Protocol):
    """The side of a tenant that serves requests; each kind of tenant knows some of them only."""

    def attempt_of(self, exchange: Exchange) -> Attempt | None:
        """The attempt a request speaks for."""

    def give_input(self, exchange: Exchange) -> None:
        """`GET /input`."""

    def take_callback(self, exchange: Exchange, attempt: Attempt, callback: Returned | Raised) -> None:
        """`POST /callback`."""

    def take_tasks(self, exchange: Exchange, tasks: list[dict[str, Any]]) -> None:
        """`POST /register-tasks`."""

    def give_cancellations(self, exchange: Exchange) -> None:
        """`GET /cancellations`."""


def serve(guest: Guest, exchange: Exchange) -> None:
    """Answer a request now, or hold it until there is an answer."""
    route = _ROUTES.get((exchange.method, exchange.path))
    if route is None:
        exchange.refuse(
            404, "not_found", f"no such route: {exchange.method.decode()} {exchange.path.decode(errors='replace')}"
        )
        return
    try:
        route(guest, exchange)
    except BadCall as error:
        exchange.refuse(error.status, error.code, str(error))


def callback_from(body: dict[str, Any]) -> Returned | Raised:
    """What a callback says.

    Raises:
        BadCall: It says neither `complete` nor `error`.
    """
    complete, error = body.get("complete"), body.get("error")
    if isinstance(complete, dict):
        return _returned(complete.get("output") or "")
    if isinstance(error, dict):
        return Raised(
            message=_sound(error.get("details") or "the task failed without saying why"),
            type=_sound(error.get("type") or "Error"),
            stack_trace=_sound(error["stack_trace"]) if error.get("stack_trace") else None,
            retryable=error.get("retryable") is not False,
        )
    # The old Python SDK sends an empty object when there is neither a result nor an error message.
    if not body:
        return Raised("the task failed without saying why")
    raise BadCall("a callback needs complete or error")


def _returned(output: Any) -> Returned | Raised:
    text = text_from_base64(output, "output")
    if not text:
        return Returned(None, 0)
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return Raised(
            f"the result is not valid JSON (are there NaN, Infinity or half a surrogate pair in it?): {error}",
            "SerializationError",
        )
    return Returned(text, len(text) if text.isascii() else len(text.encode()))


def _input(guest: Guest, exchange: Exchange) -> None:
    guest.give_input(exchange)


def _callback(guest: Guest, exchange: Exchange) -> None:
    attempt = _attempt(guest, exchange)
    if exchange.body is None:
        # Too large to keep; base64 takes four bytes for three.
        callback: Returned | Raised = Returned(None, exchange.body_bytes * 3 // 4)
    else:
        callback = callback_from(_json(exchange))
    guest.take_callback(exchange, attempt, callback)


def _run_subtask(guest: Guest, exchange: Exchange) -> None:
    _attempt(guest, exchange).calls.spawn_one(exchange, _json(exchange))


def _run_subtasks(guest: Guest, exchange: Exchange) -> None:
    calls = _json(exchange).get("calls")
    if not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
        raise BadCall("calls has to be a list of objects")
    _attempt(guest, exchange).calls.spawn_many(exchange, calls)


def _get_subtask_result(guest: Guest, exchange: Exchange) -> None:
    body = _json(exchange)
    _attempt(guest, exchange).waits.wait_one(exchange, str(body.get("task_run_id")), wait_seconds(body))


def _get_subtask_results(guest: Guest, exchange: Exchange) -> None:
    body = _json(exchange)
    runs = body.get("task_run_ids")
    if not isinstance(runs, list):
        raise BadCall("task_run_ids has to be a list")
    _attempt(guest, exchange).waits.wait_many(exchange, set(map(str, runs)), wait_seconds(body))


def _cancel_subtask(guest: Guest, exchange: Exchange) -> None:
    _attempt(guest, exchange).calls.cancel(exchange, str(_json(exchange).get("task_run_id")))


def _register_tasks(guest: Guest, exchange: Exchange) -> None:
    tasks = _json(exchange).get("tasks")
    if not isinstance(tasks, list):
        raise BadCall("tasks has to be a list")
    guest.take_tasks(exchange, tasks)


def _cancellations(guest: Guest, exchange: Exchange) -> None:
    guest.give_cancellations(exchange)


_ROUTES: dict[tuple[bytes, bytes], Callable[[Guest, Exchange], None]] = {
    (b"GET", b"/input"): _input,
    (b"POST", b"/callback"): _callback,
    (b"POST", b"/run-subtask"): _run_subtask,
    (b"POST", b"/run-subtasks"): _run_subtasks,
    (b"POST", b"/get-subtask-result"): _get_subtask_result,
    (b"POST", b"/get-subtask-results"): _get_subtask_results,
    (b"POST", b"/cancel-subtask"): _cancel_subtask,
    (b"POST", b"/register-tasks"): _register_tasks,
    (b"GET", b"/cancellations"): _cancellations,
}


def _attempt(guest: Guest, exchange: Exchange) -> Attempt:
    attempt = guest.attempt_of(exchange)
    if attempt is None:
        raise BadCall("this process has no attempt to speak for; ask for the input first", "no_attempt", 409)
    return attempt


def _json(exchange: Exchange) -> dict[str, Any]:
    if exchange.body is None:
        raise BadCall(f"the request is {exchange.body_bytes:,} bytes: too large", "payload_too_large", 413)
    try:
        body = orjson.loads(exchange.body)
    except orjson.JSONDecodeError:
        # Python's own encoder writes NaN and half surrogate pairs, which only its own decoder reads.
        try:
            body = json.loads(exchange.body)
        except ValueError as error:
            raise BadCall(f"the request is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadCall("the request has to be a JSON object")
    return body


def _sound(value: Any) -> str:
    """Text that can be encoded and stored: no half surrogate pairs, no NUL."""
    return str(value).replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
