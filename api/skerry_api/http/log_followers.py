"""Logs as they are written, by server-sent events and by WebSocket.

The record decides what a follower gets: it is read by cursor once a second. Lines that pass through this process only wake it
sooner.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Request, Response, WebSocket
from fastapi.exceptions import RequestValidationError
from starlette.websockets import WebSocketDisconnect

from skerry_api.domain.errors import SkerryError, Unavailable
from skerry_api.engine.engines import Engine
from skerry_api.http import failures, presentations, queries
from skerry_api.http.authorisations import Caller, Reader, Scope, authorise
from skerry_api.http.contexts import engine_of, streams_of
from skerry_api.http.logs import log_filter
from skerry_api.http.streams import EventStream, ascii_line, end, event
from skerry_api.storage import logs, runs
from skerry_api.storage.details import run_not_found
from skerry_api.storage.logs import LogFilter
from skerry_api.storage.runs import Row

POLL_SECONDS = 1.0
PAGE_LINES = 1000
RUNS = 100
# Lines pass through this process before they are committed; it also bounds how often a busy log is read.
COMMIT_SECONDS = 0.05
# Runners send what is left of a log before the outcome, but another replica may store it a little later.
LINGER_SECONDS = 1.5
# Ids are given before lines are committed, so one may appear after a higher one: the latest lines are read again.
OVERLAP_SECONDS = 3.0
OVERLAP_LINES = 2000

_NORMAL, _SERVICE_RESTART = 1000, 1012

RunIds = Annotated[list[str] | None, Query(alias="taskRun", description="The runs to follow; may be repeated.")]
HostedRunIds = Annotated[list[str] | None, Query(alias="taskRunID", description="The same, as Render's CLI calls it.")]
Descendants = Annotated[bool, Query(alias="includeDescendants", description="Also what the runs they started write.")]

router = APIRouter(tags=["logs"])


class Follower:
    """Reads the lines of some runs as they come."""

    def __init__(self, engine: Engine, wanted: LogFilter, run_ids: Sequence[str], after: int) -> None:
        """Begin after the line `after`; the log ends when the runs `run_ids` are over."""
        self._engine = engine
        self._wanted = wanted
        self._run_ids = run_ids
        self._settled = after
        self._seen: dict[int, float] = {}

    async def pages(self) -> AsyncGenerator[list[Row]]:
        """New lines, until the runs are over and nothing more comes."""
        clock = asyncio.get_running_loop().time
        over_since: float | None = None
        with self._engine.log_feed.subscribe(self._run_ids, self._wanted.root_run_ids) as subscription:
            while over_since is None or clock() - over_since < LINGER_SECONDS:
                try:
                    page = await self._read(clock())
                    if not page and over_since is None and await self._over():
                        over_since = clock()
                except Unavailable:
                    await asyncio.sleep(POLL_SECONDS)  # Postgres is away; the log goes on when it is back.
                    continue
                if page:
                    yield page
                elif await subscription.next(POLL_SECONDS):
                    await asyncio.sleep(COMMIT_SECONDS)

    async def _over(self) -> bool:
        async with self._engine.database.autocommit() as connection:
            return len(await runs.fetch_finished(connection, self._run_ids)) == len(self._run_ids)

    async def _read(self, now: float) -> list[Row]:
        async with self._engine.database.autocommit() as connection:
            page = await logs.fetch_lines(connection, self._wanted, self._settled, PAGE_LINES + len(self._seen))
        fresh = [row for row in page if row["id"] not in self._seen]
        self._seen.update((row["id"], now) for row in fresh)
        self._settle(now)
        return fresh

    def _settle(self, now: float) -> None:
        """Forget lines below which no other can appear any more."""
        in_order = sorted(self._seen)
        spare = len(in_order) - OVERLAP_LINES
        for position, line_id in enumerate(in_order):
            if position >= spare and self._seen[line_id] > now - OVERLAP_SECONDS:
                break
            self._settled = line_id
            del self._seen[line_id]


@router.get(
    "/v1/logs/subscribe",
    response_class=Response,
    responses={
        200: {
            "description": "An event `log` for each line, from the beginning of the log or after `cursor`; the stream ends"
            " when the runs are over. With a WebSocket: one line's JSON in each text frame.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **failures.READ_ONE,
    },
)
async def follow_logs(
    request: Request,
    caller: Reader,
    task_run: RunIds = None,
    hosted_task_run: HostedRunIds = None,
    cursor: queries.LogCursor = None,
    descendants: Descendants = False,
) -> Response:
    """Follow what runs write, as server-sent events; a reconnecting client continues where it was."""
    resumed = request.headers.get("last-event-id", "")
    after = cursor or (resumed if resumed.isdigit() and len(resumed) <= 18 else "0")
    follower = await _follower(
        engine_of(request), [*(task_run or ()), *(hosted_task_run or ())], caller, int(after), descendants=descendants
    )
    return EventStream(streams_of(request), _events(follower))


async def _follower(
    engine: Engine, run_ids: Sequence[str], caller: Caller, after: int, *, descendants: bool
) -> Follower:
    wanted = list(dict.fromkeys(run_id for part in run_ids for run_id in part.split(",") if run_id))
    if not 1 <= len(wanted) <= RUNS:
        raise queries.wrong_value("taskRun", f"must name 1 to {RUNS} runs")
    async with engine.database.autocommit() as connection:
        found = {row["id"]: row for row in await runs.fetch_runs_by_id(connection, wanted)}
    for run_id in wanted:
        if run_id not in found or not caller.sees(found[run_id]["workflow"]):
            raise run_not_found(run_id)
    return Follower(engine, log_filter(list(found.values()), descendants=descendants), wanted, after)


async def _events(follower: Follower) -> AsyncGenerator[bytes]:
    async for page in follower.pages():
        yield b"".join(
            event("log", ascii_line(orjson.dumps(presentations.log_line(row))), str(row["id"])) for row in page
        )


@router.websocket("/v1/logs/subscribe")
async def subscribe_to_logs(
    websocket: WebSocket,
    task_run: RunIds = None,
    hosted_task_run: HostedRunIds = None,
    cursor: queries.LogCursor = None,
    descendants: Descendants = False,
) -> None:
    """Follow what runs write: one line's JSON in each text frame, then a normal close when the runs are over."""
    try:
        caller = await authorise(websocket, Scope.READ)
        run_ids = [*(task_run or ()), *(hosted_task_run or ())]
        follower = await _follower(engine_of(websocket), run_ids, caller, int(cursor or 0), descendants=descendants)
    except SkerryError as error:
        return await websocket.send_denial_response(failures.refusal(websocket, error))
    except RequestValidationError as error:
        return await websocket.send_denial_response(failures.invalid_values(websocket, error))
    await websocket.accept()
    code = _NORMAL
    try:
        async with streams_of(websocket).hold() as timeout:
            watcher = asyncio.create_task(_end_with_client(websocket, timeout), name="log follower's client")
            try:
                await _send_lines(websocket, follower)
            finally:
                watcher.cancel()
    except TimeoutError:
        if not timeout.expired():
            raise
        code = _SERVICE_RESTART
    with suppress(WebSocketDisconnect, RuntimeError):  # The client may be gone.
        await websocket.close(code)


async def _send_lines(websocket: WebSocket, follower: Follower) -> None:
    async for page in follower.pages():
        for row in page:
            await websocket.send_text(orjson.dumps(presentations.log_line(row)).decode())


async def _end_with_client(websocket: WebSocket, timeout: asyncio.Timeout) -> None:
    with suppress(WebSocketDisconnect):
        while True:
            await websocket.receive_text()
    end(timeout)
