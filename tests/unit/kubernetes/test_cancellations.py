"""A control plane that is told to stop stops, also when news comes in the same moment."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from skerry_api.executors.kubernetes.launches import PAUSE_SECONDS, Launches
from skerry_api.executors.kubernetes.metrics import Metrics
from skerry_api.executors.kubernetes.releases import Releases
from skerry_api.executors.kubernetes.templates import PodDefaults

NOTHING: Any = SimpleNamespace(objects={}, database=None)


class QuietLaunches(Launches):
    """With nothing to do."""

    async def _pass(self) -> None:
        self._wake.clear()


@pytest.mark.parametrize("kind", ["launches", "releases"])
async def test_a_cancellation_that_comes_with_news_is_not_lost(kind: str) -> None:
    if kind == "launches":
        loop: Any = QuietLaunches(NOTHING, NOTHING, "tasks", PodDefaults(), NOTHING, NOTHING, Metrics())
    else:
        loop = Releases(NOTHING, NOTHING, "tasks", PodDefaults(), NOTHING, NOTHING, Metrics())
    task = asyncio.create_task(cast(Any, loop).run())
    await asyncio.sleep(PAUSE_SECONDS + 0.05)
    loop._wake.set()
    await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=2)
    assert done, "it goes on"
