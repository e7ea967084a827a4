"""A real PostgreSQL for a test session, and a fresh database for each test."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from skerry_api.embedded import EmbeddedPostgres
from skerry_api.storage.databases import Database
from skerry_api.storage.schemas import migrate

TEMPLATE = "skerry_template"
_numbers = itertools.count(1)


@contextmanager
def database_server(folder: Path) -> Iterator[str]:
    """A server in `folder` with a migrated template database; gives the server's URL."""
    with EmbeddedPostgres(folder) as url:
        _execute(url, f"CREATE DATABASE {TEMPLATE}")
        asyncio.run(migrated(named(url, TEMPLATE)))
        yield url


async def migrated(url: str) -> None:
    """Bring a database's schema up to date."""
    database = Database(url)
    await migrate(database)
    await database.close()


def named(server_url: str, name: str) -> str:
    """The URL of another database of the same server."""
    return server_url.replace("/postgres?", f"/{name}?", 1)


@contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """A database of its own, cloned from the template; gives its URL."""
    name = f"test_{next(_numbers)}"
    _execute(server_url, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    try:
        yield named(server_url, name)
    finally:
        _execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")


def _execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[call-overload]  # not a literal: it names a database
