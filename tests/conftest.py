"""Fixtures for every kind of test."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real PostgreSQL server that lives as long as the session."""
    with warnings.catch_warnings():
        # The embedded server's package asks for a runtime folder that containers do not have, and then does without.
        warnings.simplefilter("ignore")
        from tests.databases import database_server

        with database_server(tmp_path_factory.mktemp("postgres")) as url:
            yield url


@pytest.fixture
def database_url(postgres: str) -> Iterator[str]:
    """The URL of a fresh, migrated database."""
    from tests.databases import fresh_database

    with fresh_database(postgres) as url:
        yield url
