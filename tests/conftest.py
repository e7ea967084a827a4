"""Fixtures for every kind of test."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import database_server, fresh_database


@pytest.fixture(scope="session")
def data_root() -> Iterator[Path]:
    """A folder for databases; not pytest's own, which no other user than the caller may enter."""
    with tempfile.TemporaryDirectory(prefix="skerry-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres(data_root: Path) -> Iterator[str]:
    """The URL of a real PostgreSQL server that lives as long as the session."""
    with database_server(data_root / "shared") as url:
        yield url


@pytest.fixture
def database_url(postgres: str) -> Iterator[str]:
    """The URL of a fresh, migrated database."""
    with fresh_database(postgres) as url:
        yield url
