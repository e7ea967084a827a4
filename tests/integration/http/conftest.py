"""Servers for the tests of the REST interface."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.http.servers import Server, served


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[Server]:
    """A server that needs no keys, with the workflow `shop`."""
    async with served(database_url) as server:
        await server.register()
        yield server


@pytest.fixture
async def locked_server(database_url: str) -> AsyncIterator[Server]:
    """A server that needs keys, with the workflow `shop`."""
    async with served(database_url, require_keys=True) as server:
        await server.register()
        yield server
