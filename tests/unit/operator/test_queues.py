from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from skerry_operator import queues
from skerry_operator.queues import Postponed, Queue

Handler = Callable[[str], Awaitable[float | None]]


@asynccontextmanager
async def working(queue: Queue[str], handle: Handler, workers: int = 4) -> AsyncIterator[None]:
    task = asyncio.create_task(queue.run(workers, handle))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(probe: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not probe():
            await asyncio.sleep(0.005)


async def test_key_that_waits_is_handled_once() -> None:
    queue: Queue[str] = Queue()
    seen: list[str] = []

    async def handle(key: str) -> None:
        seen.append(key)

    for _ in range(5):
        queue.add("a")
    queue.add("b")
    assert len(queue) == 2
    async with working(queue, handle):
        await until(lambda: len(seen) == 2)
    assert seen == ["a", "b"]


async def test_new_keys_go_first_but_do_not_hold_up_the_others() -> None:
    queue: Queue[str] = Queue()
    seen: list[str] = []

    async def handle(key: str) -> None:
        seen.append(key)

    for key in ("old 1", "old 2"):
        queue.add(key)
    for number in range(queues.NEW_IN_A_ROW + 2):
        queue.add(f"new {number}", is_new=True)
    assert len(queue) == queues.NEW_IN_A_ROW + 4
    async with working(queue, handle, workers=1):
        await until(lambda: len(seen) == queues.NEW_IN_A_ROW + 4)
    news = [f"new {number}" for number in range(queues.NEW_IN_A_ROW + 2)]
    assert seen[: queues.NEW_IN_A_ROW + 1] == [*news[: queues.NEW_IN_A_ROW], "old 1"]
    assert sorted(seen) == sorted([*news, "old 1", "old 2"])


async def test_what_is_looked_at_seldom_waits_behind_nobody() -> None:
    queue: Queue[str] = Queue()
    seen: list[str] = []

    async def handle(key: str) -> None:
        seen.append(key)

    for number in range(5):
        queue.add(f"old {number}")
        queue.add(f"new {number}", is_new=True)
    queue.add("pool", spacing=0.2)
    assert len(queue) == 11
    async with working(queue, handle, workers=1):
        await until(lambda: len(seen) == 11)
        for number in range(5):
            queue.add(f"new {number}", is_new=True)
        queue.add("pool", spacing=0.0)
        await until(lambda: len(seen) == 17)
    assert seen[0] == seen[11] == "pool"


async def test_key_added_while_it_is_handled_is_handled_again_and_never_twice_at_once() -> None:
    queue: Queue[str] = Queue()
    active = most = count = 0

    async def handle(key: str) -> None:
        nonlocal active, most, count
        active, count = active + 1, count + 1
        most = max(most, active)
        await asyncio.sleep(0.02)
        active -= 1

    async with working(queue, handle):
        queue.add("a")
        await until(lambda: active == 1)
        for _ in range(3):
            queue.add("a")
        await until(lambda: count == 2)
        await asyncio.sleep(0.05)
    assert (most, count) == (1, 2)


async def test_workers_are_bounded() -> None:
    queue: Queue[str] = Queue()
    active = most = done = 0

    async def handle(key: str) -> None:
        nonlocal active, most, done
        active += 1
        most = max(most, active)
        await asyncio.sleep(0.005)
        active, done = active - 1, done + 1

    for number in range(30):
        queue.add(str(number))
    async with working(queue, handle, workers=3):
        await until(lambda: done == 30)
    assert most == 3


async def test_delay_and_the_earlier_moment_wins() -> None:
    queue: Queue[str] = Queue()
    began, moments = time.monotonic(), []

    async def handle(key: str) -> None:
        moments.append(time.monotonic() - began)

    async with working(queue, handle):
        queue.add("a", 30.0)
        queue.add("a", 0.05)
        queue.add("a", 30.0)
        await until(lambda: len(moments) == 1)
        await asyncio.sleep(0.05)
    assert len(moments) == 1
    assert moments[0] >= 0.05


async def test_spaced_key_is_looked_at_at_once_and_then_once_for_many() -> None:
    queue: Queue[str] = Queue()
    moments: list[float] = []

    async def handle(key: str) -> None:
        moments.append(time.monotonic())

    async with working(queue, handle):
        began = time.monotonic()
        queue.add("a", spacing=0.2)
        await until(lambda: len(moments) == 1)
        for _ in range(5):
            queue.add("a", spacing=0.2)
            await asyncio.sleep(0.01)
        await until(lambda: len(moments) == 2)
        await asyncio.sleep(0.25)
        again = time.monotonic()
        queue.add("a", spacing=0.2)
        await until(lambda: len(moments) == 3)
    assert moments[0] - began < 0.1
    assert moments[1] - moments[0] >= 0.2
    assert moments[2] - again < 0.1


async def test_handler_asks_to_come_back() -> None:
    queue: Queue[str] = Queue()
    answers: list[float | None] = [0.02, 0.0, None]
    left = list(answers)

    async def handle(key: str) -> float | None:
        return left.pop(0)

    async with working(queue, handle):
        queue.add("a")
        await until(lambda: not left)


async def test_failures_back_off_and_do_not_stop_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "FIRST_BACK_OFF", 0.02)
    queue: Queue[str] = Queue()
    moments: list[float] = []
    others: list[str] = []

    async def handle(key: str) -> None:
        if key != "bad":
            others.append(key)
            return
        moments.append(time.monotonic())
        raise ValueError("a bug") if len(moments) % 2 else Postponed("not now")

    async with working(queue, handle, workers=1):
        queue.add("bad")
        queue.add("good")
        await until(lambda: len(moments) == 4)
    gaps = [after - before for before, after in itertools.pairwise(moments)]
    assert others == ["good"]
    assert gaps[0] >= 0.02
    assert gaps[1] >= 0.04
    assert gaps[2] >= 0.08


async def test_server_says_when_to_come_back() -> None:
    queue: Queue[str] = Queue()
    moments: list[float] = []

    async def handle(key: str) -> None:
        moments.append(time.monotonic())
        raise Postponed("429", seconds=0.7)

    async with working(queue, handle):
        queue.add("a")
        await until(lambda: len(moments) == 2)
    assert moments[1] - moments[0] >= 0.7
