"""One process leads: the one that holds an advisory lock, for as long as Postgres sees the lock's own connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg

from skerry_api.domain.errors import Conflict, Unavailable
from skerry_api.storage.databases import Database, first_line

_CHECK_SECONDS = 2.0
# What checks the connection must not wait longer for it than another process waits to lead.
_ANSWER_SECONDS = 5.0


class Led(Conflict):
    """Another process leads already."""


class Leadership:
    """The right to lead, while its connection lives."""

    def __init__(self, connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
        """Lead by `connection`."""
        self._connection = connection

    async def watch(self) -> None:
        """Return never.

        Raises:
            Unavailable: the connection broke, so another process may lead now.
        """
        while True:
            await asyncio.sleep(_CHECK_SECONDS)
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await self._connection.execute("SELECT 1")
            except (psycopg.Error, OSError, TimeoutError) as error:
                raise Unavailable(f"no longer leading: {first_line(error)}") from error


@asynccontextmanager
async def lead(database: Database, role: str) -> AsyncIterator[Leadership]:
    """Lead in `role` until the block ends.

    Raises:
        Led: another process does.
        Unavailable: Postgres cannot be reached.
    """
    connection = await database.connect()
    try:
        cursor = await connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (f"skerry {role}",))
        row = await cursor.fetchone()
        if row is None or not row[0]:
            raise Led(f"another process leads as {role}")
        yield Leadership(connection)
    finally:
        # Closing ends the lock.
        await connection.close()
