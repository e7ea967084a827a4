from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from skerry_operator import paces
from skerry_operator.paces import Pace, Turns


@asynccontextmanager
async def giving(turns: Turns) -> AsyncIterator[None]:
    task = asyncio.create_task(turns.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def answered(seconds: float, times: int = 50) -> Pace:
    pace = Pace()
    for _ in range(times):
        pace.answered(seconds)
    return pace


def test_pace_is_slow_while_the_api_server_takes_long_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(paces.time, "monotonic", lambda: now)
    assert Pace().seconds(busy=5, idle=20) == 1 / 20
    assert answered(paces.BUSY_SECONDS * 0.9).seconds(busy=5, idle=20) == 1 / 20
    pace = answered(paces.BUSY_SECONDS * 2)
    assert pace.seconds(busy=5, idle=20) == 1 / 5
    now += paces.IDLE_AFTER_SECONDS + 0.1
    assert pace.seconds(busy=5, idle=20) == 1 / 20
    pace.answered(paces.BUSY_SECONDS * 2)
    assert pace.seconds(busy=5, idle=20) == 1 / 20, "one late answer after a pause says nothing yet"


def test_one_late_answer_among_many_does_not_slow_the_pace() -> None:
    pace = answered(0.003)
    pace.answered(0.3)
    assert pace.seconds(busy=5, idle=20) == 1 / 20


async def test_turn_comes_once_for_each_that_asked() -> None:
    had: list[str] = []
    turns = Turns(Pace(), lambda name: True, had.append)
    async with giving(turns):
        for name in ("a", "b", "a"):
            turns.ask(name)
        async with asyncio.timeout(5):
            while len(had) < 2:
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)
    assert had == ["a", "b"]
    assert [turns.take("a"), turns.take("a"), turns.take("c")] == [True, False, False]


async def test_those_with_nothing_to_say_take_no_time_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paces, "IDLE_A_SECOND", 0.01)
    had: list[str] = []
    turns = Turns(Pace(), lambda name: name == "last", had.append)
    async with giving(turns):
        for name in ("over", "over too", "last"):
            turns.ask(name)
        async with asyncio.timeout(5):
            while not had:
                await asyncio.sleep(0.005)
    assert had == ["last"]
    assert not turns.take("over")


async def test_nobody_waits_for_very_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paces, "BUSY_A_SECOND", 0.01)
    monkeypatch.setattr(paces, "LONGEST_WAIT_SECONDS", 0.0)
    had: list[str] = []
    turns = Turns(answered(1.0), lambda name: True, had.append)
    for name in ("a", "b", "c"):
        turns.ask(name)
    async with giving(turns), asyncio.timeout(5):
        while len(had) < 3:
            await asyncio.sleep(0.005)
    assert had == ["a", "b", "c"]
