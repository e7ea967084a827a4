"""Failures: what the client raises, what the run shows, processes that leave without a word."""

from typing import Any

import pytest

from .clients import SdkError
from .conftest import Sdk
from .processes import is_running
from .servers import WORKFLOW
from .waiting import eventually


def test_the_client_raises_the_message_of_the_task(sdk: Sdk) -> None:
    with pytest.raises(SdkError) as failure:
        sdk.client.call("run_async", task=f"{WORKFLOW}/fails", input=["no luck — 世界"])
    assert (failure.value.kind, failure.value.message) == ("TaskRunError", "no luck — 世界")


def test_a_failed_run_shows_its_error(sdk: Sdk) -> None:
    run = sdk.client.call("start", task=f"{WORKFLOW}/fails", input=["no luck"])["id"]
    sdk.server.finished(run)
    details = sdk.client.call("get", run=run)
    assert (details["status"], details["error"], details["results"]) == ("failed", "no luck", [])
    (attempt,) = details["attempts"]
    assert (attempt["attempt"], attempt["status"], attempt["error"]) == (0, "failed", "no luck")
    assert details["completedAt"] >= details["startedAt"]


def test_an_exception_without_a_message_still_fails_the_client(sdk: Sdk) -> None:
    """The SDK sends "" for `raise ValueError()`; an empty `error` would look like success to its client."""
    with pytest.raises(SdkError) as failure:
        sdk.run("fails", [""])
    assert failure.value.kind == "TaskRunError"
    assert failure.value.message.strip()


def test_a_parent_can_catch_the_failure_of_a_child(sdk: Sdk) -> None:
    assert sdk.value("catches", ["no luck"]) == "Subtask failed: no luck"


def test_a_parent_fails_with_its_child(latest: Sdk) -> None:
    details = latest.server.outcome("fails_with_child", ["no luck"])
    assert (details["status"], details["error"]) == ("failed", "Subtask failed: no luck")


def test_leaving_without_a_result_fails_the_run(sdk: Sdk) -> None:
    details = sdk.server.outcome("leave", ["sys.exit"])
    assert (details["status"], details["reason"]) == ("failed", "exited")
    assert "exited with status 4" in details["error"]


@pytest.mark.parametrize(
    ("how", "words"), [("os._exit", "exited with status 3"), ("SIGSEGV", "killed by signal 11 (SIGSEGV)")]
)
def test_the_way_it_left_is_told(latest: Sdk, how: str, words: str) -> None:
    details = latest.server.outcome("leave", [how])
    assert words in details["error"]
    assert f"leaving by {how}" in details["errorDetails"]["stackTrace"]


def test_arguments_the_function_does_not_take(sdk: Sdk) -> None:
    """Render starts such a run and it fails; to refuse it at once is the same to its client: an error that says why."""
    with pytest.raises(SdkError) as failure:
        sdk.run("greet", {"nobody": "Ada"})
    assert failure.value.kind in {"ClientError", "TaskRunError"}
    assert "nobody" in failure.value.message


def test_a_result_that_is_not_json(latest: Sdk) -> None:
    details = latest.server.outcome("returns_a_set")
    assert details["status"] == "failed"
    assert "not JSON serializable" in details["error"]


def test_running_longer_than_the_timeout(latest: Sdk) -> None:
    details = latest.server.outcome("overruns")
    assert (details["status"], details["reason"]) == ("failed", "timeout")
    assert "timeout" in details["error"]


def test_what_lingers_after_the_result_is_ended(sdk: Sdk) -> None:
    (left,) = sdk.run("linger")["results"]
    assert all(is_running(pid) for pid in left.values()), "the result comes before the process is ended"
    eventually(lambda: not any(is_running(pid) for pid in left.values()), 8)


@pytest.mark.parametrize(
    ("task", "words"),
    [(f"{WORKFLOW}/squar", "square"), (f"{WORKFLOW}/", ""), ("tsk-00000000000000000000", ""), ("", "")],
)
def test_an_unknown_task_is_a_client_error(sdk: Sdk, task: str, words: str) -> None:
    with pytest.raises(SdkError) as refused:
        sdk.client.call("start", task=task, input=[])
    assert refused.value.kind == "ClientError"
    assert refused.value.message.startswith("create task failed: ")
    assert words in refused.value.message
    assert "Unknown error" not in refused.value.message


def test_client_errors_carry_the_code(latest: Sdk) -> None:
    with pytest.raises(SdkError) as refused:
        latest.client.call("start", task=f"{WORKFLOW}/no-such-task", input=[])
    assert refused.value.code == "task_not_found"


@pytest.mark.parametrize("operation", ["get", "cancel"])
def test_an_unknown_run_is_a_client_error(sdk: Sdk, operation: str) -> None:
    with pytest.raises(SdkError) as refused:
        sdk.client.call(operation, run="trn-00000000000000000000")
    assert refused.value.kind == "ClientError"
    assert "Unknown error" not in refused.value.message


BAD_TRIGGERS: list[Any] = [
    b"{nonsense",
    b"[]",
    b"{}",
    b'{"task": 5, "input": []}',
    b'{"task": "conformance/square", "input": 5}',
    b'{"task": "conformance/square", "input": "text"}',
]


@pytest.mark.parametrize("body", BAD_TRIGGERS, ids=lambda body: body.decode())
def test_bad_triggers_are_refused_with_a_body(latest: Sdk, body: bytes) -> None:
    answer = latest.server.rest.post("/task-runs", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}
    problem = answer.json()
    assert isinstance(problem["message"], str)
    assert isinstance(problem["code"], str)
    assert problem["message"]


@pytest.mark.parametrize(
    "path", ["/task-runs/trn-00000000000000000000", "/tasks/tsk-00000000000000000000", "/no-such-path"]
)
def test_what_does_not_exist_has_an_error_body(latest: Sdk, path: str) -> None:
    answer = latest.server.rest.get(path)
    assert answer.status_code == 404
    assert {"id", "code", "message"} <= answer.json().keys()
