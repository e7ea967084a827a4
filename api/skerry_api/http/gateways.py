"""The runner gateway: one WebSocket per runner, and two routes for payloads too large for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

import orjson
import structlog
from fastapi import APIRouter, Request, Response, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from skerry_api.domain.errors import (
    AttemptSuperseded,
    InvalidRequest,
    PayloadTooLarge,
    SkerryError,
    Unauthenticated,
)
from skerry_api.domain.states import ATTEMPT_LIVE
from skerry_api.engine.engines import Engine
from skerry_api.engine.messages import check_json
from skerry_api.engine.sessions import Session
from skerry_api.storage import runs

log = structlog.get_logger(__name__)

router = APIRouter(prefix="/runner/v1", include_in_schema=False)

HELLO_SECONDS = 10
PROTOCOL = 1
# RFC 6455 section 7.4.1, and 4xxx for what only this protocol knows.
POLICY_VIOLATION, TRY_AGAIN_LATER, GOING_AWAY, UNAUTHORIZED = 1008, 1013, 1001, 4401


def _bearer(headers: Mapping[str, str]) -> str:
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token if kind.lower() == "bearer" else ""


async def _runner(engine: Engine, headers: Mapping[str, str]) -> Mapping[Any, Any]:
    runner = await engine.runner_of(_bearer(headers))
    if runner is None:
        raise Unauthenticated("the runner's token is not known; was the runner replaced?", code="unknown_runner")
    return runner


class _Outbox:
    """Messages on their way to a runner; many that come at once are sent by one wake-up."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._messages: list[Mapping[str, Any]] = []
        self._wake = asyncio.Event()

    def put(self, message: Mapping[str, Any]) -> None:
        self._messages.append(message)
        self._wake.set()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            messages, self._messages = self._messages, []
            for message in messages:
                await self._websocket.send_text(orjson.dumps(message).decode())


@router.websocket("/connect")
async def connect(websocket: WebSocket) -> None:
    """Serve one runner until its connection ends."""
    engine: Engine = websocket.app.state.engine
    await websocket.accept()
    outbox = _Outbox(websocket)
    sender = asyncio.create_task(outbox.run(), name="runner outbox")
    session: Session | None = None
    try:
        runner = await _runner(engine, websocket.headers)
        hello = await _hello(websocket)
        session = await engine.open_session(runner, hello, outbox.put)
        await _converse(websocket, session)
    except WebSocketDisconnect:
        log.debug("runner_disconnected")
    except Unauthenticated as error:
        await _close(websocket, UNAUTHORIZED, error)
    except InvalidRequest as error:
        # Only this connection suffers; what the runner holds is its own again once it speaks correctly.
        log.warning("runner_refused", error=error.message)
        await _close(websocket, POLICY_VIOLATION, error)
    except SkerryError as error:
        await _close(websocket, TRY_AGAIN_LATER, error)
    finally:
        sender.cancel()
        if session is not None:
            engine.close_session(session)


async def _hello(websocket: WebSocket) -> Mapping[str, Any]:
    try:
        async with asyncio.timeout(HELLO_SECONDS):
            text = await websocket.receive_text()
    except TimeoutError as error:
        raise InvalidRequest(f"no hello came within {HELLO_SECONDS} s") from error
    hello = _decode(text)
    if hello.get("type") != "hello" or hello.get("protocol") != PROTOCOL:
        raise InvalidRequest(f"expected hello with protocol {PROTOCOL}, got {str(text)[:100]!r}")
    resuming = hello.get("resuming") or []
    if not all(isinstance(entry, dict) and {"attempt", "token"} <= entry.keys() for entry in resuming):
        raise InvalidRequest("hello.resuming must be a list of {attempt, token}")
    if not isinstance(hello.get("capacity", 1), int):
        raise InvalidRequest("hello.capacity must be an integer")
    return hello


async def _converse(websocket: WebSocket, session: Session) -> None:
    while True:
        session.receive(_decode(await websocket.receive_text()))


def _decode(text: str) -> Mapping[str, Any]:
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"a frame is not JSON: {error}") from error
    if not isinstance(message, dict):
        raise InvalidRequest("a frame must be a JSON object")
    return message


async def _close(websocket: WebSocket, code: int, error: SkerryError) -> None:
    if websocket.application_state is WebSocketState.CONNECTED:
        # The runner may have gone first; then there is nobody left to tell.
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await websocket.close(code, error.message[:120])


async def _held_run(request: Request, attempt_id: str) -> str:
    """The run of a live attempt that the caller holds and has the token of."""
    engine: Engine = request.app.state.engine
    runner = await _runner(engine, request.headers)
    async with engine.database.transaction() as connection:
        attempt = await runs.fetch_attempt(connection, attempt_id)
    token = request.headers.get("skerry-attempt-token", "")
    if (
        attempt is None
        or attempt["runner_id"] != runner["id"]
        or attempt["token"] != token
        or attempt["status"] not in ATTEMPT_LIVE
    ):
        raise AttemptSuperseded(f"attempt {attempt_id!r} is over or belongs to another runner")
    run_id: str = attempt["run_id"]
    return run_id


@router.get("/attempts/{attempt_id}/input")
async def get_input(request: Request, attempt_id: str) -> Response:
    """The arguments of an attempt, as JSON text."""
    engine: Engine = request.app.state.engine
    run_id = await _held_run(request, attempt_id)
    async with engine.database.transaction() as connection:
        data = await runs.fetch_input(connection, run_id)
    return Response(data, media_type="application/json")


@router.put("/attempts/{attempt_id}/result", status_code=204)
async def put_result(request: Request, attempt_id: str) -> Response:
    """Keep a large result; it counts once the completion says so."""
    engine: Engine = request.app.state.engine
    run_id = await _held_run(request, attempt_id)
    limit = engine.settings.limits.result_bytes
    data = await request.body()
    if len(data) > limit:
        raise PayloadTooLarge(f"the result has {len(data):,} bytes of JSON; at most {limit:,} are allowed")
    try:
        text = data.decode()
        check_json(text)
    except ValueError as error:
        raise InvalidRequest(f"the result is not JSON: {error}") from error
    async with engine.database.transaction() as connection:
        await runs.insert_result(connection, run_id, text)
    return Response(status_code=204)
