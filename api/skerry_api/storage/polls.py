"""What the sweeper asks every second, on a connection of its own: an idle process costs two prepared statements a second."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg

from skerry_api.domain.errors import Unavailable
from skerry_api.storage import statements
from skerry_api.storage.assignments import Assignment, assignment_from
from skerry_api.storage.databases import Database, first_line

ANSWER_SECONDS = 10.0

Due = tuple[Assignment, str]


class Poll:
    """Looks for attempts whose moment has come and for ready work."""

    def __init__(self, database: Database) -> None:
        """Ask `database`; the connection is opened by the first look and again after a loss."""
        self._database = database
        self._connection: psycopg.AsyncConnection[tuple[Any, ...]] | None = None

    async def look(self, *, expire: bool, lease_ms: int, pools: Sequence[str]) -> tuple[list[Due], list[str]]:
        """Attempts that must be ended, and those of `pools` that have ready work, in one round trip.

        Each attempt comes with `deadline` (its own moment passed) or `lease` (nobody vouches for it). Without `expire`, only
        those whose runner's process is known to be gone.

        Raises:
            Unavailable: Postgres is away.
        """
        parameters = {"expire": expire, "lease_ms": lease_ms, "inline_bytes": 0}
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                if self._connection is None or self._connection.closed:
                    self._connection = await self._database.connect()
                async with self._connection.pipeline():
                    due = await self._connection.execute(statements.DUE, parameters, prepare=True)
                    ready = await self._connection.execute(statements.READY_POOLS, (list(pools),), prepare=True)
                ended: list[tuple[Any, ...]] = await due.fetchall()
                named: list[tuple[Any, ...]] = await ready.fetchall()
                return [(assignment_from(row), row[-1]) for row in ended], [row[0] for row in named]
        except (psycopg.Error, OSError, TimeoutError) as error:
            await self.close()
            raise Unavailable(f"the database is away: {first_line(error)}") from error

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
