"""LISTEN and NOTIFY, each on a connection of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import psycopg

from skerry_api.domain.errors import Unavailable
from skerry_api.storage.databases import Database, first_line


class Notifications:
    """One channel of one database."""

    def __init__(self, database: Database, channel: str) -> None:
        """Speak and listen on `channel`; connections are opened when they are needed."""
        self._database = database
        self._channel = channel
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def send(self, payload: str) -> None:
        """Notify everybody who listens; Postgres takes fewer than 8,000 bytes.

        Raises:
            Unavailable: Postgres is away.
        """
        try:
            if self._connection is None or self._connection.closed:
                self._connection = await self._database.connect()
            await self._connection.execute("SELECT pg_notify(%s, %s)", (self._channel, payload), prepare=True)
        except (psycopg.Error, OSError) as error:
            raise Unavailable(f"the database is away: {first_line(error)}") from error

    async def receive(self) -> AsyncIterator[str]:
        """Payloads as they come, until the connection breaks.

        Raises:
            Unavailable: Postgres is away; what was sent meanwhile is lost.
        """
        try:
            async with await self._database.connect() as connection:
                await connection.execute(f"LISTEN {self._channel}")
                async for notification in connection.notifies():
                    yield notification.payload
        except (psycopg.Error, OSError) as error:
            raise Unavailable(f"the database is away: {first_line(error)}") from error

    async def close(self) -> None:
        """Close the connection that sends."""
        if self._connection is not None:
            await self._connection.close()
