from typing import Any

import pytest

from tests.integration.sdk.runners import FakeRunner, encoded
from tests.integration.sdk.zygotes import ZygoteProcess, read_all


def result_of(zygote: ZygoteProcess, runner: FakeRunner, task: str, *arguments: Any) -> Any:
    _, out, err = zygote.fork(runner.path)
    runner.assign(task, list(arguments))
    runner.outcome()
    zygote.message()
    read_all(out)
    assert read_all(err) == ""
    return runner.result()[0]


def keys(runner: FakeRunner) -> list[list[str]]:
    return [[call["call_key"] for call in body["calls"]] for body in runner.bodies("/run-subtasks")]


def test_calls_of_one_turn_go_in_one_request_and_share_a_wait(zygote: ZygoteProcess, runner: FakeRunner) -> None:
    assert result_of(zygote, runner, "fan_out", 50) == 10 * sum(range(50))
    assert keys(runner) == [[f"{i + 1}:double" for i in range(50)]]
    assert len(runner.bodies("/get-subtask-results")[0]["task_run_ids"]) == 50
    assert len(runner.bodies("/get-subtask-results")) <= 3
    assert runner.connections <= 3


def test_many_children_are_split_into_requests(zygote: ZygoteProcess, runner: FakeRunner) -> None:
    assert result_of(zygote, runner, "fan_out", 1200) == 10 * sum(range(1200))
    assert [len(batch) for batch in keys(runner)] == [500, 500, 200]


@pytest.mark.parametrize("task", ["mapped", "mapped_blocking"])
def test_a_map_keeps_order_and_limit(zygote: ZygoteProcess, runner: FakeRunner, task: str) -> None:
    results = result_of(zygote, runner, task, 7, 3)
    assert results[:7] == [0, 10, 20, 30, 40, 50, 60]
    waits = runner.bodies("/get-subtask-results")
    assert max(len(body["task_run_ids"]) for body in waits) <= 3


def test_calls_one_after_the_other_use_one_connection(zygote: ZygoteProcess, runner: FakeRunner) -> None:
    assert result_of(zygote, runner, "sequential", 3) == 30
    assert keys(runner) == [["1:square"], ["2:square"], ["3:square"]]
    assert runner.connections == 2


def test_waits_that_change_while_they_last_lose_nobody(zygote: ZygoteProcess, runner: FakeRunner) -> None:
    expected = 10 * sum(start + i for start in range(20) for i in range(4))
    assert result_of(zygote, runner, "chains", 20, 4) == expected
    assert len({key for batch in keys(runner) for key in batch}) == 80


def test_handles_carry_options_id_and_result(zygote: ZygoteProcess, runner: FakeRunner) -> None:
    assert result_of(zygote, runner, "with_handles") == [True, 10, 10]
    call = runner.bodies("/run-subtasks")[0]["calls"][0]
    assert (call["plan"], call["timeout_seconds"]) == ("pro", 99)
    assert runner.bodies("/cancel-subtask") == [{"task_run_id": "trn-child-1"}]


def test_who_stops_waiting_for_a_call_cancels_it(zygote: ZygoteProcess, runner: FakeRunner) -> None:
    runner.child_seconds = 5
    assert result_of(zygote, runner, "gives_up") == "gave up"
    assert runner.bodies("/cancel-subtask") == [{"task_run_id": "trn-child-0"}]


def test_a_call_that_is_refused_raises_where_it_was_made(zygote: ZygoteProcess, runner: FakeRunner) -> None:
    assert result_of(zygote, runner, "calls_missing") == "NotFound 404 task_not_found"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"details": "declined", "type": "CardDeclined", "stack_trace": "T", "status": "failed"}, "TaskRunError"),
        ({"details": "stopped", "status": "canceled"}, "RunCanceled"),
        ({"details": "ran longer than its timeout of 5 s", "type": "TimeoutError"}, "TaskTimeout"),
    ],
)
def test_a_childs_failure_is_raised_with_its_story(
    zygote: ZygoteProcess, runner: FakeRunner, error: dict[str, Any], kind: str
) -> None:
    runner.behaviour = lambda task, arguments: {"error": error}
    assert result_of(zygote, runner, "handles_failure") == {
        "type": error.get("type"),
        "message": error["details"],
        "trace": error.get("stack_trace"),
        "run": "trn-child-0",
        "kind": kind,
    }


def test_a_childs_result_of_the_wrong_type_is_named(zygote: ZygoteProcess, runner: FakeRunner) -> None:
    runner.behaviour = lambda task, arguments: {"complete": {"output": encoded(["ten"])}}
    _, out, err = zygote.fork(runner.path)
    runner.assign("sequential", [1])
    assert runner.outcome()["error"]["details"] == "square() -> result: expected int, got string 'ten'"
    zygote.message()
    read_all(out)
    read_all(err)


def test_a_request_without_an_answer_is_sent_again_with_the_same_key(zygote: ZygoteProcess, runner: FakeRunner) -> None:
    runner.answers["/run-subtasks"] = [(503, {"message": "away"})]
    runner.answers["/get-subtask-results"] = [(200, {"results": {}}), (503, {"message": "away"})]
    assert result_of(zygote, runner, "sequential", 1) == 0
    assert keys(runner) == [["1:square"], ["1:square"]]
