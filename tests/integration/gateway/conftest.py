from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.gateway.gateways import Gateway, served


@pytest.fixture
async def gateway(database_url: str) -> AsyncIterator[Gateway]:
    async with served(database_url) as gateway:
        yield gateway
