"""Batches: alone a write sets off at once; a few under way together let others join; each gets its own outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from skerry_api.storage import batches, writers
from skerry_api.storage.batches import Batcher


class Database:
    """Carries out batches when told to, and remembers them."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def execute(self, items: Sequence[int]) -> Sequence[int | BaseException]:
        self.batches.append(list(items))
        await self.may_go_on.wait()
        return [ValueError(f"{item} is odd") if item % 2 else item * 10 for item in items]


async def test_what_arrives_during_a_batch_forms_the_next() -> None:
    database = Database()
    database.may_go_on.clear()
    batcher: Batcher[int, int] = Batcher(database.execute, size=100)
    first = batcher.submit(2)
    await asyncio.sleep(0)
    others = [batcher.submit(4), batcher.submit(5)]
    database.may_go_on.set()
    assert await first == 20
    assert await others[0] == 40
    with pytest.raises(ValueError, match="5 is odd"):
        await others[1]
    assert database.batches == [[2], [4, 5]]


async def test_one_after_another_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "JOIN_SECONDS", 3600.0)
    database = Database()
    batcher: Batcher[int, int] = Batcher(database.execute, size=100)
    assert [await batcher.submit(number) for number in (2, 4, 6, 8)] == [20, 40, 60, 80]


async def crowd(batcher: Batcher[int, int]) -> None:
    """Enough shared batches that more are to be expected."""
    for _ in range(batches.CROWD):
        await asyncio.gather(batcher.submit(2), batcher.submit(4))


async def test_in_a_crowd_a_batch_lets_others_join(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "LATELY_SECONDS", 3600.0)
    database = Database()
    batcher: Batcher[int, int] = Batcher(database.execute, size=100)
    await crowd(batcher)
    monkeypatch.setattr(batches, "JOIN_SECONDS", 0.05)
    assert await batcher.submit(6) == 60
    late = [batcher.submit(8)]
    await asyncio.sleep(0)
    late.append(batcher.submit(10))
    await asyncio.gather(*late)
    assert database.batches[batches.CROWD :] == [[6], [8, 10]]


async def test_a_crowd_of_long_ago_does_not_make_anyone_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "JOIN_SECONDS", 0.0)
    batcher: Batcher[int, int] = Batcher(Database().execute, size=100)
    await crowd(batcher)
    monkeypatch.setattr(batches, "JOIN_SECONDS", 3600.0)
    monkeypatch.setattr(batches, "LATELY_SECONDS", 0.0)
    assert [await batcher.submit(number) for number in (2, 4)] == [20, 40]


async def test_a_large_batch_does_not_wait_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "LATELY_SECONDS", 3600.0)
    monkeypatch.setattr(batches, "JOIN_SECONDS", 0.0)
    batcher: Batcher[int, int] = Batcher(Database().execute, size=100)
    await crowd(batcher)
    monkeypatch.setattr(batches, "JOIN_SECONDS", 3600.0)
    await asyncio.gather(*(batcher.submit(number) for number in range(0, 2 * batches.MANY, 2)))
    assert await batcher.submit(2) == 20


def test_lines_that_were_sent_twice_are_stored_once() -> None:
    first = {"attempt": "a", "seq": 1, "entries": ["one"]}
    second = {"attempt": "a", "seq": 2, "entries": ["two"]}
    other = {"attempt": "b", "seq": 5, "entries": ["other"]}
    merged = writers._merge_logs([first, second, other, first])
    assert merged == [{"attempt": "a", "seq": 2, "entries": ["one", "two"]}, other]
