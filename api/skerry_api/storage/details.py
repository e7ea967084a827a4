"""Runs with everything about them, read in natural batches: what every waiting client asks for at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row

from skerry_api.domain.errors import NotFound, Unavailable
from skerry_api.storage import statements
from skerry_api.storage.batches import Batcher
from skerry_api.storage.databases import Database, first_line

Row = Mapping[Any, Any]
Details = tuple[Row, list[Row]]

READ_TIMEOUT_SECONDS = 10.0


class DetailsReader:
    """Reads runs by id on a connection of its own."""

    def __init__(self, database: Database) -> None:
        """Read from `database`; the connection is opened by the first read."""
        self._database = database
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._batcher: Batcher[str, Details] = Batcher(self._execute, size=500)

    async def fetch(self, run_id: str) -> Details:
        """A run (with `input` and `result` as JSON texts) and its attempts in order.

        Raises:
            NotFound: there is no such run.
            Unavailable: Postgres is away.
        """
        return await self._batcher.submit(run_id)

    async def close(self) -> None:
        """Close the connection."""
        await self._batcher.close()
        if self._connection is not None:
            await self._connection.close()

    async def _execute(self, run_ids: Sequence[str]) -> list[Details | BaseException]:
        try:
            async with asyncio.timeout(READ_TIMEOUT_SECONDS):
                runs, attempts = await self._read(list(set(run_ids)))
        except (psycopg.Error, OSError, TimeoutError) as error:
            connection, self._connection = self._connection, None
            if connection is not None:
                await connection.close()
            raise Unavailable(f"the database is away: {first_line(error)}") from error
        return [
            (runs[run_id], attempts.get(run_id, [])) if run_id in runs else run_not_found(run_id) for run_id in run_ids
        ]

    async def _read(self, run_ids: list[str]) -> tuple[dict[str, Row], dict[str, list[Row]]]:
        if self._connection is None or self._connection.closed:
            self._connection = await self._database.connect(keyed=True)
        found = self._connection.cursor(row_factory=dict_row)
        tried = self._connection.cursor(row_factory=dict_row)
        async with self._connection.pipeline():
            await found.execute(statements.DETAILS, (run_ids,), prepare=True)
            await tried.execute(statements.ATTEMPTS_OF, (run_ids,), prepare=True)
        runs: dict[str, Row] = {row["id"]: row for row in await found.fetchall()}
        attempts: dict[str, list[Row]] = {}
        for row in await tried.fetchall():
            attempts.setdefault(row["run_id"], []).append(row)
        return runs, attempts


def run_not_found(run_id: str) -> NotFound:
    """A 404 for a run."""
    return NotFound(f"there is no run {run_id!r}", code="run_not_found")
