"""The socket protocol spoken by hand: what no Python SDK shows."""

import base64
import json
from typing import Any

import pytest

from .processes import is_running
from .servers import DevServer, payload
from .waiting import eventually

REQUEST_TIMEOUT = 15  # of the Python SDKs, per request


def test_input_can_be_asked_for_again(by_hand: DevServer) -> None:
    answers = _value(by_hand, "asks_again", ["x", 1])
    for answer in answers.values():
        assert answer["status"] == 200
        assert answer["headers"]["content-type"].startswith("application/json")
        assert answer["body"]["task_name"] == "asks_again"
        assert json.loads(base64.b64decode(answer["body"]["input"])) == ["x", 1]
    assert answers["first"]["body"] == answers["again"]["body"]


def test_input_of_a_root(by_hand: DevServer) -> None:
    details = by_hand.outcome("asks_again", [])
    body = details["results"][0]["first"]["body"]
    assert (body["task_run_id"], body["root_task_run_id"], body["parent_task_run_id"]) == (
        details["id"],
        details["id"],
        "",
    )


def test_keyword_input_stays_an_object(by_hand: DevServer) -> None:
    run = by_hand.start("double", {"number": 4})
    assert by_hand.get(run)["input"] == {"number": 4}
    by_hand.cancel(run)


def test_connections_may_be_kept(by_hand: DevServer) -> None:
    seen = _value(by_hand, "keeps_alive")
    assert (seen["first"], seen["same_connection"]) == (200, True)
    assert _output(seen["third"]) == [8]


def test_connections_may_be_closed(by_hand: DevServer) -> None:
    head = _value(by_hand, "closes")["head"]
    assert head.startswith("HTTP/1.1 200")
    assert "content-length:" in head.lower()


def test_chunked_requests(by_hand: DevServer) -> None:
    assert _output(_value(by_hand, "sends_chunks")) == [10]


def test_errors_on_the_socket(by_hand: DevServer) -> None:
    """4xx is final for every SDK, so it is for what can never work; the body says why."""
    answers = _value(by_hand, "bad_requests")
    assert {name: answer["status"] for name, answer in answers.items() if name != "wrong method"} == {
        "not json": 400,
        "no task": 400,
        "not base64": 400,
        "not a list": 422,
        "unknown task": 404,
        "unknown run": 404,
        "unknown path": 404,
    }
    assert answers["wrong method"]["status"] in {404, 405}
    assert all(isinstance(answer["body"]["message"], str) and answer["body"]["message"] for answer in answers.values())
    assert "no_such_task" in answers["unknown task"]["body"]["message"]


def test_the_same_call_is_the_same_child(by_hand: DevServer) -> None:
    """A subtask's key makes resending safe; without one, every request is a child of its own."""
    runs = _value(by_hand, "same_key")
    assert len(set(runs["same"])) == 1
    assert len({*runs["same"], runs["other"], *runs["without"]}) == 4


def test_polls_are_held_until_the_child_ends(by_hand: DevServer) -> None:
    seen = _value(by_hand, "polls", [2.0])
    assert seen["held"]["body"].keys() == {"still_running", "complete"}
    assert seen["held"]["body"]["still_running"] is False
    assert 1 < seen["held"]["seconds"] < REQUEST_TIMEOUT
    assert seen["late"] < 1, "the answer comes when the child ends"
    assert seen["again"]["body"] == seen["held"]["body"]


def test_polls_may_ask_not_to_wait(by_hand: DevServer) -> None:
    seen = _value(by_hand, "polls_without_waiting")
    assert seen["now"]["body"] == {"still_running": True}, "a null `complete` or `error` breaks render_sdk 0.6.0"
    assert seen["now"]["seconds"] < 1
    assert seen["later"]["body"]["complete"]


def test_polls_in_parallel(by_hand: DevServer) -> None:
    answers = _value(by_hand, "polls_in_parallel")["answers"]
    assert all(answer["body"]["complete"] for answer in answers)


def test_results_of_failed_and_void_children(by_hand: DevServer) -> None:
    seen = _value(by_hand, "watches_endings")
    failed = seen["bare_error"]["body"]
    assert failed.keys() == {"still_running", "error"}
    assert (failed["still_running"], failed["error"]["details"]) == (False, "boom")
    void = seen["void"]["body"]
    assert void.keys() == {"still_running", "complete"}
    assert isinstance(void["complete"]["output"], str)


def test_a_child_without_input_has_no_arguments(by_hand: DevServer) -> None:
    assert "complete" in _value(by_hand, "leaves_out_the_input")["body"]


def test_an_empty_output_succeeds(by_hand: DevServer) -> None:
    details = by_hand.outcome("void")
    assert details["status"] == "succeeded"
    assert details["results"] in ([], [None])


@pytest.mark.parametrize("text", ["[12345678901234567890123]", '[{"a":1,"a":2}]', "[ 1 , 2 ]", '["\\u0000\\u2028"]'])
def test_unusual_json_is_kept(by_hand: DevServer, text: str) -> None:
    run = by_hand.start("raw_output", [text])
    assert by_hand.finished(run)["results"] == json.loads(text)
    (event,) = by_hand.events(f"taskRunIds={run}")
    assert payload(event)["results"] == json.loads(text)


@pytest.mark.parametrize("text", ["[NaN]", "[1e400]", '["\\ud800"]', "nonsense", "[1", "\x00"])
def test_output_that_is_not_json_ends_the_run(by_hand: DevServer, text: str) -> None:
    """Python writes NaN and half surrogate pairs; such a run must not hang, and its details must stay readable."""
    run = by_hand.start("raw_output", [text])
    details = by_hand.finished(run)
    assert details["status"] == "succeeded" or details["error"]
    assert len(by_hand.events(f"taskRunIds={run}")) == 1


def test_stack_traces_are_kept(by_hand: DevServer) -> None:
    details = by_hand.outcome("bare_error")
    assert (details["status"], details["error"]) == ("failed", "boom")
    assert details["errorDetails"]["stackTrace"] == "at by_hand:1"


def test_a_callback_without_an_outcome_is_a_failure(by_hand: DevServer) -> None:
    details = by_hand.outcome("says_nothing")
    assert (details["status"], bool(details["error"])) == ("failed", True)


def test_the_first_callback_counts(by_hand: DevServer) -> None:
    assert by_hand.outcome("calls_back_twice")["results"] == ["first"]


def test_refused_callbacks_do_not_end_the_attempt(by_hand: DevServer) -> None:
    answers = _value(by_hand, "refused_callbacks")
    assert {answer["status"] for answer in answers.values()} == {400}


def test_leaving_with_status_0_and_no_callback_is_a_failure(by_hand: DevServer) -> None:
    details = by_hand.outcome("forgets")
    assert (details["status"], details["reason"]) == ("failed", "exited")
    assert "status 0" in details["error"]


def test_a_process_left_behind_is_ended(by_hand: DevServer) -> None:
    child = _value(by_hand, "leaves_a_child_behind")["child"]
    eventually(lambda: not is_running(child), 8)


def test_registration_without_options(by_hand: DevServer) -> None:
    """TypeScript leaves `options` out; Render then retries after 1, 2 and 4 seconds, and stops after two hours."""
    tasks = {item["task"]["name"]: item["task"] for item in by_hand.rest.get("/tasks", params={"limit": 50}).json()}
    assert tasks["nap"]["retry"] == {"maxRetries": 3, "waitDurationMs": 1000, "factor": 2.0}
    assert tasks["nap"]["timeoutSeconds"] == 7200
    assert not tasks["nap"]["parameters"]
    assert (tasks["double"]["retry"]["maxRetries"], tasks["double"]["timeoutSeconds"]) == (1, 45)


def _value(server: DevServer, task: str, input: Any = None) -> Any:
    details = server.outcome(task, input)
    assert details["status"] == "succeeded", details["error"]
    (value,) = details["results"]
    return value


def _output(answer: dict[str, Any]) -> Any:
    return json.loads(base64.b64decode(answer["body"]["complete"]["output"]))
