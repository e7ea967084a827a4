"""What replicas tell each other: ends are gathered, new work is told at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from skerry_api.engine import peers
from skerry_api.engine.peers import Peers


class Notes:
    """In the place of Postgres: keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    async def send(self, payload: str) -> None:
        self.sent.append(orjson.loads(payload))

    async def close(self) -> None:
        pass


@pytest.fixture
async def told(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Peers, Notes]]:
    monkeypatch.setattr(peers, "GATHER_SECONDS", 60.0)
    nobody: Any = None
    speaker, notes = Peers(nobody, "one", lambda news: None), Notes()
    monkeypatch.setattr(speaker, "_notifications", notes)
    speaker.others = 1
    yield speaker, notes
    await speaker.stop()


async def until_sent(notes: Notes, count: int) -> None:
    async with asyncio.timeout(5):
        while len(notes.sent) < count:
            await asyncio.sleep(0.005)


async def test_ends_are_gathered(told: tuple[Peers, Notes]) -> None:
    speaker, notes = told
    speaker.tell(run="first")
    await until_sent(notes, 1)
    speaker.tell(run="second")
    speaker.tell(run="third")
    await asyncio.sleep(0.05)
    assert [message["runs"] for message in notes.sent] == [["first"]]


async def test_new_work_does_not_wait_for_what_was_told_of_ends(told: tuple[Peers, Notes]) -> None:
    speaker, notes = told
    speaker.tell(run="first")
    await until_sent(notes, 1)
    speaker.tell(run="second")
    speaker.tell(pool="a")
    await until_sent(notes, 2)
    assert (notes.sent[1]["pools"], notes.sent[1]["runs"]) == (["a"], ["second"])
    speaker.tell(pool="b")
    await asyncio.sleep(0.05)
    assert len(notes.sent) == 2, "of new work it is told at most so often"
