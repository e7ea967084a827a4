"""Cancelling runs with everything below them, inside the transaction of whoever asks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from psycopg import AsyncConnection

from skerry_api.storage import statements

Connection = AsyncConnection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Canceled:
    """Runs and attempts that a cascade ended."""

    runs: tuple[str, ...] = ()
    attempts: tuple[str, ...] = ()


NOTHING = Canceled()


async def cancel_children(connection: Connection, parents: Collection[str]) -> Canceled:
    """Cancel what still runs below parents whose attempt is over."""
    cursor = await connection.execute(statements.OPEN_CHILDREN, (list(parents),), prepare=True)
    children = [row[0] for row in await cursor.fetchall()]
    if not children:
        return NOTHING
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
