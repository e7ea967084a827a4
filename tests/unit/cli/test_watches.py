import os
import pty
import subprocess
import sys
from typing import Any

from rich.console import Console

from skerry.cli import watches
from tests.unit.cli.samples import a_log, a_node, a_run
from tests.unit.cli.servers import FakeServer


def drawn(view: watches.View, console: Console) -> list[str]:
    with console.capture() as captured:
        console.print(view)
    return captured.get().splitlines()


def test_the_view_fits_the_terminal_with_the_latest_lines_beneath() -> None:
    console = Console(width=60, height=20)
    view = watches.View(console)
    assert "Waiting" in drawn(view, console)[0]
    children = [a_node(a_run(f"trn-{index}", "square", "running")) for index in range(100)]
    view.update(
        a_node(a_run(status="running"), *children), [a_log(f"line {index} " + "x" * 100) for index in range(50)]
    )
    lines = drawn(view, console)
    assert len(lines) < 20
    assert "running" in next(line for line in lines if "more:" in line)
    assert "line 49" in lines[-1]
    assert all(len(line) <= 60 for line in lines)


def test_a_view_without_log_lines_is_only_the_tree() -> None:
    console = Console(width=60, height=20)
    view = watches.View(console)
    view.update(a_node(a_run()), [])
    assert drawn(view, console) == ["✓ hello  2.2 s"]


def test_on_a_terminal_starting_a_task_shows_the_live_tree_and_the_result(server: FakeServer) -> None:
    states = iter(["running", "running", "succeeded"])
    server.answer("POST", "/v1/task-runs", a_run(status="pending"), 202)
    server.handle("GET", "/v1/task-runs/trn-1/tree", lambda _: (200, a_node(a_run(status=next(states)))))
    server.answer("GET", "/v1/task-runs/trn-1/logs", {"logs": [], "cursor": ""})
    server.answer("GET", "/v1/task-runs/trn-1", a_run(results=[{"answer": 42}], input=[]))
    status, output = on_terminal(["tasks", "start", "hello"], server.url)
    assert status == 0
    assert "\x1b[" in output
    assert "✓" in output
    assert '"answer"' in output
    polls = [request for request in server.asked("GET", "/v1/task-runs/trn-1") if "wait" in request.query]
    assert len(polls) == 2
    assert float(polls[0].query["wait"][0]) >= watches.REFRESH_SECONDS


def on_terminal(words: list[str], url: str) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    environment: dict[str, Any] = {**os.environ, "SKERRY_URL": url, "TERM": "xterm-256color", "PYTHONUTF8": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "skerry.cli", *words], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    output = b""
    try:
        while piece := os.read(ours, 65536):
            output += piece
    except OSError:  # Linux says EIO when the last writer has gone
        pass
    finally:
        os.close(ours)
    return process.wait(10), output.decode()
