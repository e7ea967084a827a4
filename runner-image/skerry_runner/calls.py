"""Child runs of one attempt: starting and cancelling them."""

from __future__ import annotations

import asyncio
import binascii
import uuid
from collections.abc import Callable
from typing import Any, Protocol

import orjson

from skerry_runner.messages import Limits
from skerry_runner.requests import EMPTY, Exchange

# Render's SDKs give a request 15 s; the answer has to come before that.
SPAWN_SECONDS = 12.0


class Upstream(Protocol):
    """What child calls need of their attempt."""

    def send_spawn(self, call: str, task: str, input_text: str, options: dict[str, Any]) -> None:
        """Ask the control plane for a child run."""

    def send_cancel_child(self, run: str) -> None:
        """Ask the control plane to cancel a child run."""


class BadCall(ValueError):
    """A child call that cannot be made; `status` and `code` go into the answer."""

    def __init__(self, message: str, code: str = "bad_request", status: int = 400) -> None:
        """Refuse with `message`."""
        super().__init__(message)
        self.code = code
        self.status = status

    def as_error(self) -> dict[str, Any]:
        """The error as the control plane would send it."""
        return {"message": str(self), "code": self.code, "status": self.status}


SpawnAnswer = dict[str, Any]  # {"task_run_id": …} or {"error": {message, code, status}}


class _Batch:
    """Calls of one request, answered together when the last is decided, or when the time is up."""

    def __init__(self, size: int, finish: Callable[[list[SpawnAnswer]], None]) -> None:
        self._answers: dict[int, SpawnAnswer] = {}
        self._size = size
        self._finish = finish
        self._timer = asyncio.get_running_loop().call_later(SPAWN_SECONDS, self._give_up)

    def answer(self, index: int, answer: SpawnAnswer) -> None:
        if len(self._answers) == self._size:
            return
        self._answers[index] = answer
        if len(self._answers) == self._size:
            self._timer.cancel()
            self._finish([self._answers[index] for index in range(self._size)])

    def _give_up(self) -> None:
        waited = f"the control plane did not answer within {SPAWN_SECONDS:g} s"
        error = BadCall(f"{waited}; the call is kept, ask again with the same key", "control_plane_unavailable", 503)
        for index in range(self._size):
            if index not in self._answers:
                self.answer(index, {"error": error.as_error()})


class Calls:
    """The child calls of one attempt."""

    def __init__(self, upstream: Upstream, limits: Limits) -> None:
        """Make calls through `upstream`."""
        self.known: set[str] = set()
        self._upstream = upstream
        self._limits = limits
        self._runs: dict[str, str] = {}
        self._pending: dict[str, list[tuple[_Batch, int]]] = {}

    def spawn_one(self, exchange: Exchange, body: dict[str, Any]) -> None:
        """`POST /run-subtask`."""

        def finish(answers: list[SpawnAnswer]) -> None:
            error = answers[0].get("error")
            if error is None:
                exchange.answer_json(answers[0])
            else:
                exchange.refuse(int(error.get("status") or 400), str(error["code"]), str(error["message"]))

        self._spawn_all([body], finish)

    def spawn_many(self, exchange: Exchange, bodies: list[dict[str, Any]]) -> None:
        """`POST /run-subtasks`: all calls at once."""
        if bodies:
            self._spawn_all(bodies, lambda answers: exchange.answer_json({"results": answers}))
        else:
            exchange.answer_json({"results": []})

    def on_spawned(self, call: str, run: str) -> None:
        """The control plane made the child run."""
        self._runs[call] = run
        self.known.add(run)
        for batch, index in self._pending.pop(call, ()):
            batch.answer(index, {"task_run_id": run})

    def on_spawn_failed(self, call: str, error: dict[str, Any]) -> None:
        """The control plane refused; a later call with the same key may try again."""
        for batch, index in self._pending.pop(call, ()):
            batch.answer(index, {"error": error})

    def cancel(self, exchange: Exchange, run: str) -> None:
        """`POST /cancel-subtask`."""
        if run not in self.known:
            exchange.refuse(404, "task_run_not_found", f"{run} is not a child of this run")
            return
        self._upstream.send_cancel_child(run)
        exchange.answer(200, EMPTY)

    def _spawn_all(self, bodies: list[dict[str, Any]], finish: Callable[[list[SpawnAnswer]], None]) -> None:
        batch = _Batch(len(bodies), finish)
        for index, body in enumerate(bodies):
            try:
                self._spawn(body, batch, index)
            except BadCall as error:
                batch.answer(index, {"error": error.as_error()})

    def _spawn(self, body: dict[str, Any], batch: _Batch, index: int) -> None:
        call = str(body.get("call_key") or body.get("idempotency_key") or uuid.uuid4().hex)
        run = self._runs.get(call)
        if run is not None:
            batch.answer(index, {"task_run_id": run})
            return
        if call in self._pending:
            self._pending[call].append((batch, index))
            return
        task = body.get("task_name")
        if not isinstance(task, str) or not task:
            raise BadCall("task_name is missing")
        text = _input_text(body.get("input"), self._limits.argument_bytes)
        self._pending[call] = [(batch, index)]
        names = ("plan", "timeout_seconds", "retry")
        self._upstream.send_spawn(call, task, text, {name: body[name] for name in names if body.get(name) is not None})


def text_from_base64(value: Any, what: str) -> str:
    """The UTF-8 text in a base64 field.

    Raises:
        BadCall: It is not base64, or not UTF-8.
    """
    if not isinstance(value, str):
        raise BadCall(f"{what} has to be base64 text")
    try:
        return binascii.a2b_base64(value, strict_mode=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise BadCall(f"{what} is not base64 of UTF-8 text: {error}") from error


def base64_of(text: str) -> str:
    """Text as base64 of its UTF-8 bytes."""
    return binascii.b2a_base64(text.encode(), newline=False).decode("ascii")


def _input_text(value: Any, limit: int) -> str:
    text = "[]" if value in (None, "") else text_from_base64(value, "input")
    size = len(text.encode())
    if size > limit:
        sizes = f"the arguments are {size:,} bytes and may be at most {limit:,}"
        message = f"{sizes}; store large data elsewhere and pass a reference"
        raise BadCall(message, "payload_too_large", 413)
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadCall(f"input is not valid JSON: {error}") from error
    return text
