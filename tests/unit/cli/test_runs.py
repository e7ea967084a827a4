import json
from typing import Any

import pytest

from tests.unit.cli.conftest import Cli
from tests.unit.cli.samples import a_log, a_node, a_run
from tests.unit.cli.servers import Answer, FakeServer, Request

RUN = "/v1/task-runs/trn-1"


def page(*runs: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"taskRun": run, "cursor": f"c-{run['id']}"} for run in runs]


def serve_run(server: FakeServer, *states: str, children: tuple[str, ...] = (), **more: Any) -> None:
    """Answer a run that goes through some states, one further with each request for its tree."""
    looks = iter(states)
    now = {"status": states[0]}

    def tree(request: Request) -> Answer:
        now["status"] = next(looks, states[-1])
        nodes = [a_node(a_run(f"trn-c{index}", "square", state)) for index, state in enumerate(children)]
        return 200, a_node(a_run(status=now["status"], **more), *nodes)

    server.handle("GET", f"{RUN}/tree", tree)
    server.handle("GET", RUN, lambda _: (200, a_run(status=now["status"], results=[42], input=[1]) | more))
    server.answer("GET", f"{RUN}/logs", {"logs": [], "cursor": ""})


def test_list_passes_filters_on(cli: Cli, server: FakeServer) -> None:
    server.answer("GET", "/v1/task-runs", page(a_run(), a_run("trn-2", status="failed")))
    result = cli("runs list --status failed --status canceled --task shop/hello --workflow shop --tag a --limit 7")
    assert result.exit_code == 0
    assert server.requests[0].query == {
        "status": ["failed", "canceled"],
        "task": ["shop/hello"],
        "workflow": ["shop"],
        "tag": ["a"],
        "limit": ["7"],
    }
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["RUN", "TASK", "STATUS", "ATTEMPTS", "DURATION", "CREATED"]
    assert lines[1].split()[:5] == ["trn-1", "shop/hello", "✓", "succeeded", "1"]
    assert "✗ failed" in lines[2]
    assert "\x1b" not in result.output


def test_list_follows_cursors_up_to_the_limit(cli: Cli, server: FakeServer) -> None:
    def answer(request: Request) -> Answer:
        size = int(request.query["limit"][0])
        start = int(request.query.get("cursor", ["c-trn-0"])[0].removeprefix("c-trn-"))
        return 200, page(*(a_run(f"trn-{number}") for number in range(start + 1, start + 1 + size)))

    server.handle("GET", "/v1/task-runs", answer)
    runs = json.loads(cli("runs", "list", "--limit", "130", "--json").stdout)
    assert [run["id"] for run in runs] == [f"trn-{number}" for number in range(1, 131)]
    assert len(server.requests) == 2


def test_an_empty_list_says_what_to_do_on_stderr(cli: Cli, server: FakeServer) -> None:
    server.answer("GET", "/v1/task-runs", [])
    result = cli("runs", "list")
    assert result.stdout == ""
    assert "skerry tasks start" in result.stderr
    assert json.loads(cli("runs", "list", "--json").stdout) == []


def test_show_tells_everything_about_a_run(cli: Cli, server: FakeServer) -> None:
    attempt = {
        "attempt": 0,
        "status": "succeeded",
        "startedAt": "2026-11-22T10:00:01.000Z",
        "completedAt": "2026-11-22T10:00:01.500Z",
        "usage": {"cpuSeconds": 0.25, "maxRssBytes": 64 << 20},
        "timings": {"queuedSeconds": 0.004, "startingSeconds": 0.001, "runningSeconds": 0.5},
        "podName": "hello-1",
        "node": "node-1",
    }
    run = a_run(attempts=[attempt], input={"name": "Ann"}, results=["Hello"], tags=["nightly"])
    server.answer("GET", RUN, run)
    output = cli("runs", "show", "trn-1").stdout
    for told in (
        "shop/hello",
        "4 ms",
        "500 ms",
        "250 ms",
        "64 MiB",
        "hello-1 on node-1",
        '"Ann"',
        '"Hello"',
        "nightly",
        "2.2 s",
    ):
        assert told in output
    assert json.loads(cli("runs", "show", "trn-1", "--json").stdout) == run


def test_show_ends_with_the_remote_stack_trace_of_a_failed_run(cli: Cli, server: FakeServer) -> None:
    trace = 'Traceback (most recent call last):\n  File "main.py", line 3, in hello\nValueError: [bad] luck'
    details = {"type": "ValueError", "message": "[bad] luck", "stackTrace": trace}
    server.answer("GET", RUN, a_run(status="failed", errorDetails=details, error="[bad] luck", input=[], results=[]))
    output = cli("runs", "show", "trn-1").stdout
    assert 'File "main.py", line 3, in hello' in output
    assert output.count("ValueError: [bad] luck") == 1


def test_watch_follows_a_run_to_its_result(cli: Cli, server: FakeServer) -> None:
    serve_run(server, "pending", "running", "succeeded", children=("succeeded",))
    logs = iter([[a_log("\x1b[31mred\x1b[0m"), a_log("child", "trn-c0", stream="stderr", attempt=1)]])
    server.handle("GET", f"{RUN}/logs", lambda _: (200, {"logs": next(logs, []), "cursor": "9"}))
    result = cli("runs", "watch", "trn-1")
    assert result.exit_code == 0
    assert " hello             red" in result.stdout
    assert " square#2          child" in result.stdout
    assert "✓ hello  2.2 s  trn-1" in result.stdout
    assert result.stdout.index("▶ square") < result.stdout.index("child") < result.stdout.index("✓ square")
    assert result.stdout.rstrip().endswith("Result\n42")
    assert [request.query.get("cursor") for request in server.asked("GET", f"{RUN}/logs")] == [None, ["9"], ["9"]]


@pytest.mark.parametrize("state", ["failed", "canceled"])
def test_watching_a_run_that_fails_ends_with_status_1(cli: Cli, server: FakeServer, state: str) -> None:
    serve_run(server, "running", state, error="no luck")
    result = cli("runs", "watch", "trn-1")
    assert result.exit_code == 1
    assert ("no luck" if state == "failed" else "The run was canceled.") in result.stdout
    assert cli("runs", "watch", "trn-1", "--json").exit_code == 1


def test_watch_as_json_prints_only_the_ended_run(cli: Cli, server: FakeServer) -> None:
    states = iter(["running", "running", "succeeded"])
    server.handle("GET", RUN, lambda _: (200, a_run(status=next(states), results=[], input=[])))
    result = cli("runs", "watch", "trn-1", "--json")
    assert json.loads(result.stdout)["status"] == "succeeded"
    assert result.stderr == ""


def test_logs_are_read_page_by_page(cli: Cli, server: FakeServer) -> None:
    def answer(request: Request) -> Answer:
        first = "cursor" not in request.query
        lines = [a_log(f"line {number}") for number in range(1000)] if first else [a_log("last", labels=[])]
        return 200, {"logs": lines, "cursor": "c1" if first else "c2"}

    server.handle("GET", f"{RUN}/logs", answer)
    lines = cli("runs", "logs", "trn-1", "--no-children").stdout.splitlines()
    assert len(lines) == 1001
    assert lines[-1].endswith("last")
    assert server.requests[0].query["includeDescendants"] == ["false"]


def test_logs_as_json_are_one_object_a_line(cli: Cli, server: FakeServer) -> None:
    server.answer("GET", f"{RUN}/logs", {"logs": [a_log("a\nb"), a_log("é")], "cursor": "c"})
    lines = cli("runs", "logs", "trn-1", "--json").stdout.splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["a\nb", "é"]


def test_following_logs_reads_what_was_written_before_the_end(cli: Cli, server: FakeServer) -> None:
    states = iter(["running", "succeeded"])
    server.handle("GET", RUN, lambda _: (200, a_run(status=next(states))))
    logs = iter([[a_log("first")], [a_log("last words")]])
    server.handle("GET", f"{RUN}/logs", lambda _: (200, {"logs": next(logs), "cursor": "c"}))
    output = cli("runs", "logs", "trn-1", "--follow").stdout
    assert "first" in output
    assert "last words" in output


def test_cancel_tells_what_became_of_each_run(cli: Cli, server: FakeServer) -> None:
    server.answer("DELETE", "/v1/task-runs/.*", None, 204)
    server.answer("GET", RUN, a_run(status="canceled"))
    server.answer("GET", "/v1/task-runs/trn-2", a_run("trn-2", status="succeeded"))
    result = cli("runs", "cancel", "trn-1", "trn-2")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == ["⊘ trn-1 canceled", "✓ trn-2 is succeeded"]


def test_retry_prints_the_new_run(cli: Cli, server: FakeServer) -> None:
    server.answer("POST", f"{RUN}/retry", a_run("trn-9", status="pending", retriedFrom="trn-1"), 202)
    assert cli("runs", "retry", "trn-1").stdout == "trn-9\n"


def test_ids_cannot_reach_other_routes(cli: Cli, server: FakeServer) -> None:
    assert cli("runs", "show", "../api-keys?x=1").exit_code == 1
    assert server.requests[0].path == "/v1/task-runs/..%2Fapi-keys%3Fx%3D1"
