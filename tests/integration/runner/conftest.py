from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.runner.control_planes import ControlPlane


@pytest.fixture
async def control_plane() -> AsyncIterator[ControlPlane]:
    plane = ControlPlane()
    await plane.start()
    yield plane
    await plane.stop()
