"""Starting child runs."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest

from skerry_runner import calls as calls_module
from skerry_runner.calls import Calls
from skerry_runner.messages import Limits
from skerry_runner.requests import Exchange


class Attempt:
    def __init__(self) -> None:
        self.spawned: list[tuple[str, str, str, dict[str, Any]]] = []
        self.canceled: list[str] = []

    def send_spawn(self, call: str, task: str, input_text: str, options: dict[str, Any]) -> None:
        self.spawned.append((call, task, input_text, options))

    def send_cancel_child(self, run: str) -> None:
        self.canceled.append(run)


class Answers:
    def __init__(self) -> None:
        self.all: list[tuple[int, Any]] = []
        self.exchange = Exchange(cast(Any, self))

    def write_answer(self, status: int, body: bytes) -> None:
        self.all.append((status, json.loads(body)))


@pytest.fixture
def attempt() -> Attempt:
    return Attempt()


@pytest.fixture
def calls(attempt: Attempt) -> Calls:
    return Calls(attempt, Limits(argument_bytes=100))


def body(**more: Any) -> dict[str, Any]:
    return {"task_name": "add", "input": "WzFd", "idempotency_key": "key"} | more


async def test_call_is_passed_on_with_its_options(calls: Calls, attempt: Attempt) -> None:
    answers = Answers()
    calls.spawn_one(answers.exchange, body(call_key="mine", plan="pro", retry=None, timeout_seconds=5))
    assert attempt.spawned == [("mine", "add", "[1]", {"plan": "pro", "timeout_seconds": 5})]
    calls.on_spawned("mine", "trn-1")
    assert answers.all == [(200, {"task_run_id": "trn-1"})]
    assert calls.known == {"trn-1"}


async def test_repeated_call_joins_the_first(calls: Calls, attempt: Attempt) -> None:
    first, second, third = Answers(), Answers(), Answers()
    calls.spawn_one(first.exchange, body())
    calls.spawn_one(second.exchange, body())
    calls.on_spawned("key", "trn-1")
    calls.spawn_one(third.exchange, body())
    assert len(attempt.spawned) == 1
    assert first.all == second.all == third.all == [(200, {"task_run_id": "trn-1"})]


async def test_calls_without_a_key_are_all_different(calls: Calls, attempt: Attempt) -> None:
    for _ in range(2):
        calls.spawn_one(Answers().exchange, body(idempotency_key=None))
    assert len({call for call, *_ in attempt.spawned}) == 2


async def test_refusal_carries_status_and_code_and_may_be_tried_again(calls: Calls, attempt: Attempt) -> None:
    answers = Answers()
    calls.spawn_one(answers.exchange, body())
    calls.on_spawn_failed("key", {"code": "task_not_found", "message": "no add", "status": 404})
    assert answers.all == [(404, {"code": "task_not_found", "message": "no add"})]
    calls.spawn_one(Answers().exchange, body())
    assert len(attempt.spawned) == 2


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"task_name": None}, 400),
        ({"input": 5}, 400),
        ({"input": "%"}, 400),
        ({"input": "e30x"}, 400),
        ({"input": "W" + "A" * 200}, 400),
        ({"input": "ICAg" * 50}, 413),
    ],
)
async def test_call_that_cannot_be_made_is_refused(calls: Calls, changes: dict[str, Any], status: int) -> None:
    answers = Answers()
    calls.spawn_one(answers.exchange, body(**changes))
    assert answers.all[0][0] == status


async def test_many_calls_are_answered_together_and_in_order(calls: Calls, attempt: Attempt) -> None:
    answers = Answers()
    calls.spawn_many(answers.exchange, [body(call_key="a"), body(task_name=""), body(call_key="b")])
    calls.on_spawned("b", "trn-b")
    assert answers.all == []
    calls.on_spawned("a", "trn-a")
    ((status, answer),) = answers.all
    assert status == 200
    assert [result.get("task_run_id") for result in answer["results"]] == ["trn-a", None, "trn-b"]
    assert answer["results"][1]["error"]["code"] == "bad_request"


async def test_absent_control_plane_is_reported_in_time(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls_module, "SPAWN_SECONDS", 0.01)
    answers = Answers()
    calls.spawn_one(answers.exchange, body())
    await asyncio.sleep(0.03)
    assert answers.all[0][0] == 503
    assert answers.all[0][1]["code"] == "control_plane_unavailable"
    late = Answers()
    calls.on_spawned("key", "trn-1")
    calls.spawn_one(late.exchange, body())
    assert late.all == [(200, {"task_run_id": "trn-1"})]


async def test_only_own_children_can_be_canceled(calls: Calls, attempt: Attempt) -> None:
    known, strange = Answers(), Answers()
    calls.on_spawned("key", "trn-1")
    calls.cancel(known.exchange, "trn-1")
    calls.cancel(strange.exchange, "trn-2")
    assert attempt.canceled == ["trn-1"]
    assert [answers.all[0][0] for answers in (known, strange)] == [200, 404]
