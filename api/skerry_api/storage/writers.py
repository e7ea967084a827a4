"""The one connection of a process that carries its hot writes, in natural batches.

One writer per process means that two of its transactions never wait for each other, and that what arrives while a commit
is under way shares the next. A failed batch is carried out again member by member: one bad row never harms another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import orjson
import psycopg
from psycopg import AsyncConnection

from skerry_api.domain.errors import Unavailable
from skerry_api.storage import statements
from skerry_api.storage.assignments import Assignment, assignment_from
from skerry_api.storage.batches import Batcher
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
class Canceled:
    """Runs and attempts that a cascade ended."""

    runs: tuple[str, ...] = ()
    attempts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settled:
    """Whether an attempt's end took effect, and what its cascade ended with it."""

    applied: bool
    canceled: Canceled = Canceled()


@dataclass(frozen=True, slots=True)
class _Write:
    kind: Kind
    row: Row
    rows: tuple[Row, ...] = ()


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
        runners: Sequence[str],
        limit: int | None,
        *,
        start_ms: int,
        inline_bytes: int,
    ) -> list[Assignment]:
        """Give queued attempts of `pool` to `runners` (one element per free slot), within the workflow's `limit`."""
        row = {
            "pool": pool,
            "workflow_id": workflow_id,
            "runners": list(runners),
            "limit": UNLIMITED if limit is None else limit,
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
        outcomes: dict[int, Any] = {}
        kinds = sorted({write.kind for write in writes})
        if len(kinds) == 1 and all(_is_one_statement(write) for write in writes):
            await self._write_kind(connection, kinds[0], writes, outcomes)
        else:
            async with connection.transaction():
                for kind in kinds:
                    await self._write_kind(connection, kind, writes, outcomes)
        return [outcomes[id(write)] for write in writes]

    async def _write_kind(
        self, connection: Connection, kind: Kind, writes: Sequence[_Write], outcomes: dict[int, Any]
    ) -> None:
        chosen = [write for write in writes if write.kind is kind]
        if kind is Kind.CLAIM:
            for write in chosen:
                outcomes[id(write)] = await _claim(connection, write.row)
        elif kind is Kind.CANCEL:
            for write in chosen:
                row = write.row
                outcomes[id(write)] = await cancel_tree(connection, row["runs"], row["reason"], row["message"])
        elif kind is Kind.SETTLE:
            outcomes.update(await _settle(connection, chosen))
        elif kind is Kind.LOGS:
            await _rows(connection, Kind.LOGS, _merge_logs([write.row for write in chosen]))
            outcomes.update({id(write): None for write in chosen})
        elif kind is Kind.SUBMIT:
            stored = {row[0] for row in await _rows(connection, kind, [row for write in chosen for row in write.rows])}
            outcomes.update({id(write): {row["id"] for row in write.rows} & stored for write in chosen})
        else:
            rows = sorted((write.row for write in chosen), key=lambda row: str(row["attempt"]))
            moved = {row[0] for row in await _rows(connection, kind, rows)}
            outcomes.update({id(write): write.row["attempt"] in moved for write in chosen})


def _is_one_statement(write: _Write) -> bool:
    """Whether a write needs no transaction around it, which saves two of three round trips."""
    if write.kind is Kind.SETTLE:
        return not write.row["spawned"]
    if write.kind is Kind.CLAIM:
        return bool(write.row["limit"] == UNLIMITED)
    return write.kind is not Kind.CANCEL


async def _rows(connection: Connection, kind: Kind, rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    cursor = await connection.execute(_STATEMENTS[kind], (orjson.dumps(rows).decode(),), prepare=True)
    return [] if kind is Kind.LOGS else await cursor.fetchall()


async def _settle(connection: Connection, writes: Sequence[_Write]) -> dict[int, Settled]:
    rows = sorted((write.row for write in writes), key=lambda row: str(row["attempt"]))
    ended = {row[0]: row for row in await _rows(connection, Kind.SETTLE, rows)}
    parents = {row[1] for row in ended.values() if row[2]}
    canceled = await cancel_children(connection, parents) if parents else Canceled()
    return {id(write): Settled(write.row["attempt"] in ended, canceled) for write in writes}


async def cancel_children(connection: Connection, parents: set[str]) -> Canceled:
    """Cancel what still runs below parents whose attempt is over."""
    cursor = await connection.execute(statements.OPEN_CHILDREN, (list(parents),), prepare=True)
    children = [row[0] for row in await cursor.fetchall()]
    if not children:
        return Canceled()
    return await cancel_tree(connection, children, "canceled", "canceled because its parent's attempt ended")


async def cancel_tree(connection: Connection, run_ids: Sequence[str], reason: str, message: str) -> Canceled:
    """Cancel runs, then their children, level by level; within the caller's transaction."""
    error = orjson.dumps({"type": "RunCanceled", "message": message}).decode()
    runs: list[str] = []
    attempts: list[str] = []
    level = list(run_ids)
    while level:
        await _cancel_level(connection, level, reason, error, runs, attempts)
        cursor = await connection.execute(statements.OPEN_CHILDREN, (level,), prepare=True)
        level = [row[0] for row in await cursor.fetchall()]
    return Canceled(tuple(runs), tuple(attempts))


async def _cancel_level(
    connection: Connection, level: list[str], reason: str, error: str, runs: list[str], attempts: list[str]
) -> None:
    still_open = level
    while still_open:
        parameters = {"runs": sorted(still_open), "reason": reason, "error": error}
        cursor = await connection.execute(statements.CANCEL, parameters, prepare=True)
        for attempt_id, run_id in await cursor.fetchall():
            attempts.append(attempt_id)
            runs.append(run_id)
        cursor = await connection.execute(statements.OPEN_RUNS, (still_open,), prepare=True)
        still_open = [row[0] for row in await cursor.fetchall()]


async def _claim(connection: Connection, row: Row) -> list[Assignment]:
    if row["limit"] != UNLIMITED:
        await connection.execute(statements.LOCK_WORKFLOW, (row["workflow_id"],))
    cursor = await connection.execute(statements.CLAIM, row, prepare=True)
    return [assignment_from(found) for found in await cursor.fetchall()]


def _merge_logs(rows: Sequence[Row]) -> list[Row]:
    merged: dict[str, dict[str, Any]] = {}
    for row in rows:
        known = merged.get(row["attempt"])
        if known is None:
            merged[row["attempt"]] = dict(row)
        else:
            known["seq"] = max(known["seq"], row["seq"])
            known["entries"] = [*known["entries"], *row["entries"]]
    return [merged[attempt] for attempt in sorted(merged)]
