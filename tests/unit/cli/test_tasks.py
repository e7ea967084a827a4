import json
from typing import Any

import pytest

from tests.unit.cli.conftest import Cli
from tests.unit.cli.samples import a_run, a_task
from tests.unit.cli.servers import FakeServer


@pytest.fixture
def started(server: FakeServer) -> FakeServer:
    """A server that accepts any run, which then succeeds with 42."""
    server.answer("POST", "/v1/task-runs", a_run(status="pending"), 202)
    server.answer("GET", "/v1/task-runs/trn-1", a_run(results=[42], input=[]))
    return server


def test_list_shows_what_a_caller_needs(cli: Cli, server: FakeServer) -> None:
    parameters = [
        {"name": "to", "type": "str", "hasDefault": False},
        {"name": "times", "type": "int", "hasDefault": True, "defaultValue": "3"},
        {"name": "tags", "hasDefault": True, "defaultValue": []},
    ]
    tasks = [a_task(parameters=parameters), a_task("bare", parameters=[], retry=None, plan=None)]
    server.answer("GET", "/v1/tasks", [{"task": task, "cursor": "c"} for task in tasks])
    output = cli("tasks", "list", "--workflow", "shop").stdout
    assert server.requests[0].query["workflowSlug"] == ["shop"]
    line = next(line for line in output.splitlines() if line.startswith("shop/hello"))
    for told in ("to: str, times: int = 3, tags = []", "standard", "2 h", "3, after 1.0 s, x2"):
        assert told in line
    assert json.loads(cli("tasks", "list", "--json").stdout) == tasks


def test_start_sends_only_what_was_given_and_prints_the_run(cli: Cli, started: FakeServer) -> None:
    result = cli("tasks", "start", "hello", "World", "[1]")
    assert (result.exit_code, result.stdout) == (0, "trn-1\n")
    assert started.requests[0].body == {"task": "hello", "input": ["World", [1]]}


def test_start_passes_every_option_on(cli: Cli, started: FakeServer) -> None:
    cli("tasks start hello --arg a=1 --idempotency-key k --plan pro --delay 2m --priority 7 --tag x --tag y")
    assert started.requests[0].body == {
        "task": "hello",
        "input": {"a": 1},
        "idempotencyKey": "k",
        "plan": "pro",
        "delaySeconds": 120,
        "priority": 7,
        "tags": ["x", "y"],
    }


def test_start_takes_input_from_standard_input_and_dashes_after_dashes(cli: Cli, started: FakeServer) -> None:
    cli("tasks", "start", "add", "--input", "-", stdin='{"a": 1}')
    cli("tasks", "start", "add", "--", "-1", "--x")
    assert [request.body["input"] for request in started.requests] == [{"a": 1}, [-1, "--x"]]


def test_start_and_wait_prints_the_result_as_json(cli: Cli, started: FakeServer) -> None:
    result = cli("tasks", "start", "hello", "--wait")
    assert (result.exit_code, result.stdout) == (0, "42\n")
    run = json.loads(cli("tasks", "start", "hello", "--wait", "--json").stdout)
    assert run["results"] == [42]


def test_a_failed_run_tells_why_on_stderr_and_ends_with_status_1(cli: Cli, started: FakeServer) -> None:
    details = {"type": "ValueError", "message": "no luck"}
    failed = a_run(status="failed", error="no luck", errorDetails=details, results=[], input=[])
    started.answer("GET", "/v1/task-runs/trn-1", failed)
    result = cli("tasks", "start", "hello", "--wait")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "ValueError: no luck" in result.stderr
    assert cli("tasks", "start", "hello", "--wait", "--json").exit_code == 1


def test_an_unknown_task_is_told_as_the_server_says(cli: Cli, server: FakeServer) -> None:
    message = "There is no task 'helo'. Did you mean 'shop/hello'?"
    server.refuse("POST", "/v1/task-runs", 404, "task_not_found", message)
    result = cli("tasks", "start", "helo")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [f"Error: {message}", "`skerry tasks list` shows the tasks there are."]
    assert result.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [["--priority", "10"], ["--delay", "soon"], ["[1,"], ["--input", "3"], ["1", "--arg", "a=1"], ["--bogus"]],
)
def test_misuse_ends_with_status_2_and_starts_nothing(cli: Cli, started: FakeServer, arguments: list[str]) -> None:
    result = cli("tasks", "start", "hello", *arguments)
    assert result.exit_code == 2
    assert result.stderr
    assert started.requests == []


@pytest.mark.parametrize(
    ("details", "told"),
    [
        ([{"loc": ["body", "input"], "msg": "must be a list"}], "The request is invalid: input: must be a list"),
        ("priority is too high", "The request is invalid: priority is too high"),
        ([{"field": "", "message": "The request is invalid"}], "Error: The request is invalid.\n"),
        (None, "The request is invalid."),
    ],
)
def test_validation_errors_name_the_field(cli: Cli, server: FakeServer, details: Any, told: str) -> None:
    server.refuse("POST", "/v1/task-runs", 422, "invalid", "The request is invalid.", details=details)
    assert told in cli("tasks", "start", "hello").stderr
