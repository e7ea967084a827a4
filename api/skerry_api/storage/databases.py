"""Connections to Postgres: a SQLAlchemy pool for everything, and plain psycopg connections for the hot statements."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import sqlalchemy.exc
from sqlalchemy import AsyncAdaptedQueuePool, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from skerry_api.domain.errors import Unavailable

CONNECT_TIMEOUT_SECONDS = 5
POOL_TIMEOUT_SECONDS = 10

# The writer reads and changes rows by primary key only. Without these, a generic plan made while a table was still
# empty would scan it for ever.
_KEYED_ACCESS = "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off"


class Database:
    """One Postgres database, named by a libpq or SQLAlchemy URL."""

    def __init__(self, url: str, *, pool_size: int = 5) -> None:
        """Prepare to connect; nothing is opened before it is needed."""
        parsed = make_url(url).set(drivername="postgresql+psycopg")
        self._conninfo = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
        self.engine: AsyncEngine = create_async_engine(
            parsed,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=POOL_TIMEOUT_SECONDS,
            connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS, "options": "-c jit=off"},
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction on a pooled connection.

        Raises:
            Unavailable: Postgres cannot be reached, or the connection broke.
        """
        async with self._connection(self.engine) as connection, connection.begin():
            yield connection

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[AsyncConnection]:
        """A pooled connection on which every statement is its own transaction, without BEGIN and COMMIT.

        Raises:
            Unavailable: Postgres cannot be reached, or the connection broke.
        """
        async with self._connection(self.engine.execution_options(isolation_level="AUTOCOMMIT")) as connection:
            yield connection

    @asynccontextmanager
    async def _connection(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        try:
            async with engine.connect() as connection:
                yield connection
        except sqlalchemy.exc.DBAPIError as error:
            if error.connection_invalidated or isinstance(error.orig, psycopg.OperationalError):
                raise Unavailable(f"the database is away: {first_line(error.orig)}") from error
            raise
        except (sqlalchemy.exc.TimeoutError, OSError) as error:
            raise Unavailable(f"the database is away: {first_line(error)}") from error

    def connections_in_use(self) -> int:
        """How many pooled connections are in use now."""
        pool = self.engine.pool
        return pool.checkedout() if isinstance(pool, AsyncAdaptedQueuePool) else 0

    async def connect(self, *, keyed: bool = False) -> psycopg.AsyncConnection[tuple[object, ...]]:
        """A plain connection in autocommit mode, outside the pool; `keyed` forbids plans that scan.

        Raises:
            Unavailable: Postgres cannot be reached.
        """
        options = _KEYED_ACCESS if keyed else "-c jit=off"
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS + 1):
                return await psycopg.AsyncConnection.connect(
                    self._conninfo,
                    autocommit=True,
                    connect_timeout=CONNECT_TIMEOUT_SECONDS,
                    options=options,
                )
        except (psycopg.OperationalError, OSError, TimeoutError) as error:
            raise Unavailable(f"the database is away: {first_line(error)}") from error

    async def close(self) -> None:
        """Close the pool."""
        await self.engine.dispose()


async def plan_anew(connection: AsyncConnection) -> None:
    """Have every statement of this transaction planned for the tables as they are now.

    A prepared statement keeps its plan: one that was made while a table was empty would scan it, however long it has become.
    """
    await connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_custom_plan")


async def fetch_rows(connection: AsyncConnection, statement: str, parameters: object) -> Sequence[Sequence[Any]]:
    """The rows of a statement in SQL text, with psycopg's `%s` and `%(name)s` parameters."""
    result = await connection.exec_driver_sql(statement, parameters)  # type: ignore[arg-type]  # a list or a mapping
    return result.all()


def first_line(error: object) -> str:
    """The first line of an error's text, for a message to a user."""
    return (str(error) or type(error).__name__).splitlines()[0]
