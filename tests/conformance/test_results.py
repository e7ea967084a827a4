"""Inputs and results: what a task returns, what REST shows, what a parent receives."""

from typing import Any

import pytest

from .clients import SdkError
from .conftest import Sdk
from .servers import WORKFLOW

# value → `results`. Python SDKs send a list as it is and wrap everything else in a list of one.
RESULTS: list[tuple[Any, list[Any]]] = [
    (None, [None]),
    ([1, 2], [1, 2]),
    ([7], [7]),
    ([], []),
    (
        {"a": [1, {"b": None}], "c": {"d": 0.25, "e": True, "f": ""}},
        [{"a": [1, {"b": None}], "c": {"d": 0.25, "e": True, "f": ""}}],
    ),
    ('nul \x00, quote ", backslash \\, newline \n', ['nul \x00, quote ", backslash \\, newline \n']),
]

# A parent's SDK unwraps any list of one element, so `[7]` arrives as 7.
RECEIVED: list[tuple[Any, Any]] = [(None, None), ([7], 7), ([[7]], [7]), ([1, 2], [1, 2])]


def test_results_keep_the_encoding_of_the_sdk(sdk: Sdk) -> None:
    calls = [sdk.client.submit("run", task=f"{WORKFLOW}/echo", input=[value]) for value, _ in RESULTS]
    details = [call.result(30) for call in calls]
    assert [one["results"] for one in details] == [results for _, results in RESULTS]
    assert [one["input"] for one in details] == [[value] for value, _ in RESULTS]
    assert {one["status"] for one in details} == {"succeeded"}


def test_parents_receive_what_children_return(sdk: Sdk) -> None:
    received = sdk.value("relay", [[value for value, _ in RECEIVED]])
    assert received == {"received": [value for _, value in RECEIVED]}


def test_every_way_to_run_a_task_gives_the_same_details(sdk: Sdk) -> None:
    synchronous = sdk.client.call("run", task=f"{WORKFLOW}/square", input=[9])
    awaited = sdk.client.call("start_then_await", task=f"{WORKFLOW}/square", input=[9])
    assert synchronous["results"] == awaited["details"]["results"] == [81]
    assert awaited["id"] == awaited["details"]["id"]
    assert sdk.client.call("get", run=synchronous["id"]) == synchronous


def test_input_by_position(latest: Sdk) -> None:
    assert latest.value("greet", ["Ada", "Hi", 2]) == "Hi, Ada! Hi, Ada!"
    assert latest.value("greet", ["Ada"]) == "Hello, Ada!"


def test_input_by_keyword(sdk: Sdk) -> None:
    details = sdk.run("greet", {"times": 2, "name": "Ada"})
    assert details["input"] == {"times": 2, "name": "Ada"}
    assert details["results"] == ["Hello, Ada! Hello, Ada!"]


def test_any_number_of_arguments(latest: Sdk) -> None:
    """The SDKs register `*items` and `**named` like ordinary parameters without a default."""
    assert latest.value("collect", [1, 2, 3]) == {"items": [1, 2, 3], "named": {}}
    assert latest.value("collect", {"a": 1}) == {"items": [], "named": {"a": 1}}


def test_missing_input_means_no_arguments(latest: Sdk) -> None:
    answer = latest.server.rest.post("/task-runs", json={"task": f"{WORKFLOW}/echo"})
    assert answer.status_code == 202, answer.text
    details = latest.server.finished(answer.json()["id"])
    assert (details["input"], details["results"]) == ([], [None])


def test_a_megabyte_goes_in_and_out(latest: Sdk) -> None:
    text = "é" * 500_000
    details = latest.run("echo", [text])
    assert details["results"] == [text]


def test_too_large_an_input_is_refused(sdk: Sdk) -> None:
    with pytest.raises(SdkError) as refused:
        sdk.run("echo", ["x" * 5_000_000])
    assert refused.value.kind == "ClientError"


def test_too_large_a_result_fails_readably(latest: Sdk) -> None:
    details = latest.server.outcome("produce", [5_000_000])
    assert (details["status"], details["reason"]) == ("failed", "payload_too_large")
    assert "result" in details["error"]


def test_the_process_finds_both_spellings_of_its_variables(sdk: Sdk) -> None:
    found = sdk.value("surroundings")
    assert found["RENDER_SDK_MODE"] == found["SKERRY_SDK_MODE"] == "run"
    assert found["RENDER_SDK_SOCKET_PATH"] == found["SKERRY_SDK_SOCKET_PATH"]
    assert found["cwd"] == "programs"


def test_every_run_has_a_process_of_its_own(latest: Sdk) -> None:
    assert latest.value("surroundings")["pid"] != latest.value("surroundings")["pid"]
