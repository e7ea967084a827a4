"""Waiting for children, and telling when a process does nothing else."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest

from skerry_runner import waits as waits_module
from skerry_runner.requests import Exchange
from skerry_runner.waits import Waits


class Attempt:
    def __init__(self) -> None:
        self.said: list[bool] = []
        self.busy = False

    def send_waiting(self, waiting: bool) -> None:
        self.said.append(waiting)

    def slots_are_busy(self) -> bool:
        return self.busy


class Connection:
    def __init__(self) -> None:
        self.answers: list[tuple[int, Any]] = []

    def write_answer(self, status: int, body: bytes) -> None:
        self.answers.append((status, json.loads(body)))


@pytest.fixture
def attempt() -> Attempt:
    return Attempt()


@pytest.fixture
def waits(attempt: Attempt, monkeypatch: pytest.MonkeyPatch) -> Waits:
    monkeypatch.setattr(waits_module, "WAITING_AFTER_SECONDS", 0.02)
    monkeypatch.setattr(waits_module, "POLL_PAUSE_SECONDS", 0.05)
    return Waits(attempt, {"trn-1", "trn-2"})


def exchange() -> tuple[Exchange, Connection]:
    connection = Connection()
    return Exchange(cast(Any, connection)), connection


def finished(run: str, **more: Any) -> Any:
    return {"attempt": "a", "run": run, "status": "succeeded", "result": "[1]", "error": None} | more


async def test_finished_child_is_answered_at_once(waits: Waits) -> None:
    waits.on_child_finished(finished("trn-1"))
    request, connection = exchange()
    waits.wait_one(request, "trn-1", 5)
    assert connection.answers == [(200, {"still_running": False, "complete": {"output": "WzFd"}})]


async def test_children_that_end_together_are_answered_together(waits: Waits) -> None:
    request, connection = exchange()
    waits.wait_many(request, {"trn-1", "trn-2"}, 5)
    waits.on_child_finished(finished("trn-1"))
    waits.on_child_finished(finished("trn-2", status="canceled"))
    await asyncio.sleep(0)
    ((status, answer),) = connection.answers
    assert status == 200
    assert answer["results"]["trn-2"]["error"]["status"] == "canceled"
    assert answer["results"]["trn-1"] == {"complete": {"output": "WzFd"}}


async def test_first_word_about_a_child_stands(waits: Waits) -> None:
    waits.on_child_finished(finished("trn-1"))
    waits.on_child_finished(finished("trn-1", status="failed"))
    request, connection = exchange()
    waits.wait_one(request, "trn-1", 5)
    assert "complete" in connection.answers[0][1]


async def test_strange_run_is_not_waited_for(waits: Waits) -> None:
    request, connection = exchange()
    waits.wait_many(request, {"trn-1", "trn-9"}, 5)
    assert connection.answers[0][0] == 404
    assert "trn-9" in connection.answers[0][1]["message"]


async def test_waiting_is_said_after_a_moment_and_taken_back_with_the_result(waits: Waits, attempt: Attempt) -> None:
    request, _ = exchange()
    waits.wait_one(request, "trn-1", 5)
    assert attempt.said == []
    await asyncio.sleep(0.04)
    assert attempt.said == [True]
    waits.on_child_finished(finished("trn-1"))
    await asyncio.sleep(0)
    assert attempt.said == [True, False]


async def test_waiting_is_said_at_once_when_others_need_the_place(waits: Waits, attempt: Attempt) -> None:
    attempt.busy = True
    waits.wait_one(exchange()[0], "trn-1", 5)
    assert attempt.said == [True]
    waits.close()


async def test_short_wait_is_not_worth_a_word(waits: Waits, attempt: Attempt) -> None:
    waits.wait_one(exchange()[0], "trn-1", 5)
    waits.on_child_finished(finished("trn-1"))
    await asyncio.sleep(0.04)
    assert attempt.said == []


async def test_pause_between_polls_belongs_to_the_wait(waits: Waits, attempt: Attempt) -> None:
    attempt.busy = True
    for _ in range(3):
        request, connection = exchange()
        waits.wait_one(request, "trn-1", 0.01)
        await asyncio.sleep(0.03)
        assert connection.answers == [(200, {"still_running": True})]
    assert attempt.said == [True]
    await asyncio.sleep(0.06)
    assert attempt.said == [True, False]


async def test_lost_connection_ends_the_wait(waits: Waits, attempt: Attempt) -> None:
    attempt.busy = True
    request, _ = exchange()
    waits.wait_one(request, "trn-1", 5)
    request.abandon()
    assert attempt.said == [True, False]
