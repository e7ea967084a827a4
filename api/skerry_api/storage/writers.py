"""The one connection of a process that carries its hot writes, in natural batches.

One writer per process means that two of its transactions never wait for each other, and that what arrives while a commit
is under way shares the next. A failed batch is carried out again member by member: one bad row never harms another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

import orjson
import psycopg
from psycopg import AsyncConnection, AsyncCursor

from skerry_api.domain.errors import Unavailable
from skerry_api.storage import statements
from skerry_api.storage.assignments import Assignment, assignment_from
from skerry_api.storage.batches import Batcher
from skerry_api.storage.cascades import NOTHING, Canceled, cancel_children, cancel_tree
from skerry_api.storage.databases import Database, first_line

Row = Mapping[Any, Any]
Connection = AsyncConnection[tuple[Any, ...]]

BATCH_SIZE = 500
STATEMENT_TIMEOUT_SECONDS = 30.0
UNLIMITED = 2_147_483_647


class Kind(IntEnum):
    """What a write does, in the order in which a batch carries them out."""

    LOGS = 1
    PROGRESS = 2
    SETTLE = 3
    CANCEL = 4
    SUBMIT = 5
    CLAIM = 6


_STATEMENTS = {
    Kind.LOGS: statements.APPEND_LOGS,
    Kind.PROGRESS: statements.PROGRESS,
    Kind.SETTLE: statements.SETTLE,
    Kind.SUBMIT: statements.SUBMIT,
}


@dataclass(frozen=True, slots=True)
class Settled:
    """Whether an attempt's end took effect, and what its cascade ended with it."""

    applied: bool
    canceled: Canceled = NOTHING


@dataclass(frozen=True, slots=True)
class _Write:
    kind: Kind
    row: Row
    rows: tuple[Row, ...] = ()


class ClaimingRunner(Protocol):
    """Who takes queued attempts: perhaps a Pod that waited; `adopts` says whether a TaskRun is to name it."""

    runner_id: str
    pod_name: str | None
    node: str | None
    adopts: bool


class Writer:
    """Carries out hot writes; every method answers after the commit.

    All raise `Unavailable` while Postgres is away; nothing was stored then, or, for a connection that broke in the very
    commit, it may have been: each write is guarded by an id or a token, so that doing it again is harmless.
    """

    def __init__(self, database: Database) -> None:
        """Write to `database`; the connection is opened by the first write and again after a loss."""
        self._database = database
        self._connection: Connection | None = None
        self._batcher: Batcher[_Write, Any] = Batcher(self._execute, size=BATCH_SIZE)

    @property
    def batches(self) -> int:
        """Batches carried out so far."""
        return self._batcher.batches

    @property
    def writes(self) -> int:
        """Writes carried out so far."""
        return self._batcher.items

    async def submit(self, rows: Sequence[Row]) -> set[str]:
        """Store runs with their first attempts, all in one transaction.

        Answers the ids that were stored; the others had an idempotency key or call key that was there already, or a
        parent whose attempt is over.
        """
        stored: set[str] = await self._batcher.submit(_Write(Kind.SUBMIT, {}, tuple(rows)))
        return stored

    async def settle(self, row: Row) -> Settled:
        """End an attempt; `applied` is False when its token is not the live one.

        `row["spawned"]` says whether it may have children, which then end with it.
        """
        settled: Settled = await self._batcher.submit(_Write(Kind.SETTLE, row))
        return settled

    async def progress(self, row: Row) -> bool:
        """Record that user code began, waits or works again."""
        moved: bool = await self._batcher.submit(_Write(Kind.PROGRESS, row))
        return moved

    async def append_logs(self, row: Row) -> None:
        """Store log lines of one attempt, once per `seq`."""
        await self._batcher.submit(_Write(Kind.LOGS, row))

    async def cancel(self, run_ids: Sequence[str], reason: str, message: str) -> Canceled:
        """Cancel runs and all their descendants that are not over."""
        row = {"runs": list(run_ids), "reason": reason, "message": message}
        canceled: Canceled = await self._batcher.submit(_Write(Kind.CANCEL, row))
        return canceled

    async def claim(
        self,
        pool: str,
        workflow_id: str,
        runners: Sequence[ClaimingRunner],
        limit: int | None,
        lanes: Mapping[str, int],
        *,
        start_ms: int,
        inline_bytes: int,
    ) -> list[Assignment]:
        """Give queued attempts of `pool` to `runners` (one element per free slot).

        `limit` is how many of the workflow may be live at once, and `lanes` how many of tasks that have a limit of their own.
        """
        row = {
            "pool": pool,
            "workflow_id": workflow_id,
            "runners": [runner.runner_id for runner in runners],
            "pods": [runner.pod_name for runner in runners],
            "nodes": [runner.node for runner in runners],
            "adopts": [runner.adopts for runner in runners],
            "limit": UNLIMITED if limit is None else limit,
            "lanes": ["", *lanes],
            "limits": [UNLIMITED, *lanes.values()],
            "start_ms": start_ms,
            "inline_bytes": inline_bytes,
        }
        claimed: list[Assignment] = await self._batcher.submit(_Write(Kind.CLAIM, row))
        return claimed

    async def close(self) -> None:
        """Finish what waits and close the connection."""
        await self._batcher.close()
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _execute(self, writes: Sequence[_Write]) -> list[Any]:
        connection = await self._connected()
        try:
            async with asyncio.timeout(STATEMENT_TIMEOUT_SECONDS):
                return await self._transact(connection, writes)
        except (psycopg.OperationalError, psycopg.InterfaceError, OSError, TimeoutError) as error:
            if connection.closed or isinstance(error, TimeoutError | OSError):
                await self._forget(connection)
                raise Unavailable(f"the database is away: {first_line(error)}") from error
            return await self._one_by_one(writes, error)
        except psycopg.Error as error:
            return await self._one_by_one(writes, error)

    async def _one_by_one(self, writes: Sequence[_Write], error: Exception) -> list[Any]:
        if len(writes) == 1:
            return [error]
        outcomes: list[Any] = []
        for write in writes:
            try:
                outcomes += await self._execute([write])
            except Unavailable as away:
                outcomes.append(away)
        return outcomes

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = await self._database.connect(keyed=True)
        return self._connection

    async def _forget(self, connection: Connection) -> None:
        self._connection = None
        await connection.close()

    async def _transact(self, connection: Connection, writes: Sequence[_Write]) -> list[Any]:
        if not any(_needs_dialog(write) for write in writes):
            outcomes = await _send(connection, writes)
        else:
            async with connection.transaction():
                outcomes = await _send(connection, writes)
                await _cascade(connection, writes, outcomes)
        return [outcomes[id(write)] for write in writes]


def _needs_dialog(write: _Write) -> bool:
    """Whether what must be written depends on what a statement answers."""
    return write.kind is Kind.CANCEL or (write.kind is Kind.SETTLE and bool(write.row["spawned"]))


async def _send(connection: Connection, writes: Sequence[_Write]) -> dict[int, Any]:
    """Carry out what needs one statement a kind.

    Several statements go in one pipeline, which is one round trip and, outside a transaction, one implicit transaction.
    """
    requests = [request for kind in sorted({write.kind for write in writes}) for request in _requests(kind, writes)]
    if len(requests) == 1:
        cursors = [await _execute_request(connection, requests[0])]
    else:
        async with connection.pipeline():
            cursors = [await _execute_request(connection, request) for request in requests]
    outcomes: dict[int, Any] = {}
    for request, cursor in zip(requests, cursors, strict=True):
        rows = await cursor.fetchall() if cursor.description is not None else []
        outcomes.update(_outcomes(request, rows))
    return outcomes


@dataclass(frozen=True, slots=True)
class _Request:
    kind: Kind
    writes: Sequence[_Write]
    statement: str
    parameters: Any


def _requests(kind: Kind, writes: Sequence[_Write]) -> Iterator[_Request]:
    chosen = [write for write in writes if write.kind is kind]
    if kind is Kind.CANCEL:
        return
    if kind is Kind.CLAIM:
        for write in chosen:
            has_lanes = len(write.row["lanes"]) > 1
            if has_lanes or write.row["limit"] != UNLIMITED:
                yield _Request(kind, (), statements.LOCK_WORKFLOW, (write.row["workflow_id"],))
            yield _Request(kind, (write,), statements.CLAIM_IN_LANES if has_lanes else statements.CLAIM, write.row)
        return
    if kind is Kind.SUBMIT:
        rows = [row for write in chosen for row in write.rows]
    elif kind is Kind.LOGS:
        rows = _merge_logs([write.row for write in chosen])
    else:
        rows = sorted((write.row for write in chosen), key=lambda row: str(row["attempt"]))
    yield _Request(kind, chosen, _STATEMENTS[kind], (orjson.dumps(rows).decode(),))


async def _execute_request(connection: Connection, request: _Request) -> AsyncCursor[tuple[Any, ...]]:
    return await connection.execute(request.statement, request.parameters, prepare=True)


def _outcomes(request: _Request, rows: Sequence[tuple[Any, ...]]) -> dict[int, Any]:
    """What each write of a request gets for an answer."""
    if request.kind is Kind.CLAIM:
        return {id(write): [assignment_from(row) for row in rows] for write in request.writes}
    if request.kind is Kind.LOGS:
        return {id(write): None for write in request.writes}
    taken = {row[0] for row in rows}
    if request.kind is Kind.SUBMIT:
        return {id(write): {row["id"] for row in write.rows} & taken for write in request.writes}
    if request.kind is Kind.SETTLE:
        return {id(write): Settled(write.row["attempt"] in taken) for write in request.writes}
    return {id(write): write.row["attempt"] in taken for write in request.writes}


async def _cascade(connection: Connection, writes: Sequence[_Write], outcomes: dict[int, Any]) -> None:
    """End what lives below the attempts that ended, and carry out cancellations."""
    for write in writes:
        row = write.row
        if write.kind is Kind.CANCEL:
            outcomes[id(write)] = await cancel_tree(connection, row["runs"], row["reason"], row["message"])
        elif write.kind is Kind.SETTLE and row["spawned"] and outcomes[id(write)].applied:
            outcomes[id(write)] = Settled(True, await cancel_children(connection, [row["run"]]))


def _merge_logs(rows: Sequence[Row]) -> list[Row]:
    """One row for each attempt; of a batch of lines that was sent twice, one."""
    batches: dict[str, dict[int, Row]] = {}
    for row in rows:
        batches.setdefault(row["attempt"], {}).setdefault(row["seq"], row)
    return [_joined(batches[attempt]) for attempt in sorted(batches)]


def _joined(batches: Mapping[int, Row]) -> Row:
    ordered = [batches[seq] for seq in sorted(batches)]
    return {**ordered[-1], "entries": [entry for row in ordered for entry in row["entries"]]}
