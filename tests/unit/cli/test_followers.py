from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from rich.console import Console, RenderableType

from skerry.cli import connections, followers, logs, settings
from tests.unit.cli.samples import TIME, a_log, a_run, a_task
from tests.unit.cli.servers import FakeServer

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Screen:
    """Keeps what is shown as plain text."""

    def __init__(self) -> None:
        self.console = Console(width=200)
        self.lines: list[str] = []

    def show(self, renderable: RenderableType) -> None:
        with self.console.capture() as captured:
            self.console.print(renderable, soft_wrap=True)
        self.lines += captured.get().splitlines()


@pytest.fixture
def screen() -> Screen:
    return Screen()


@pytest.fixture
def follower(server: FakeServer, screen: Screen) -> Iterator[followers.Follower]:
    """A follower that has seen version wfv-1 become ready, and no runs."""
    set_versions(server, "ready")
    set_runs(server)
    server.answer("GET", "/v1/tasks", [{"task": a_task()}])
    with connections.Connection(settings.Settings(server.url)) as connection:
        one = followers.Follower(connection, screen.show)
        one.wait_registered(lambda: None, LONG_AGO)
        yield one


def set_versions(server: FakeServer, *states: str) -> None:
    versions = [
        {"id": f"wfv-{number}", "status": state, "createdAt": TIME.format(number), "error": "NameError: x"}
        for number, state in enumerate(states, 1)
    ]
    server.answer("GET", "/v1/workflowversions", [{"workflowVersion": version} for version in reversed(versions)])


def set_runs(server: FakeServer, *runs: dict[str, object]) -> None:
    server.answer("GET", "/v1/task-runs", [{"taskRun": run, "cursor": ""} for run in runs])


def test_runs_and_printed_lines_are_told_in_the_order_of_time(
    server: FakeServer, follower: followers.Follower, screen: Screen
) -> None:
    set_runs(server, a_run())
    follower.look([a_log("inside", labels=[{"name": "task", "value": "hello"}])])
    assert [word for line in screen.lines for word in ("▶", "inside", "✓") if word in line] == ["▶", "inside", "✓"]
    follower.look()
    assert len(screen.lines) == 3


def test_a_run_that_left_the_newest_page_is_still_followed(
    server: FakeServer, follower: followers.Follower, screen: Screen
) -> None:
    set_runs(server, a_run("trn-1", status="running"), a_run("trn-2", status="running"))
    follower.look()
    set_runs(server)
    server.answer("GET", "/v1/task-runs/trn-1", a_run("trn-1"))
    follower.look()
    assert "✓ hello  2.2 s  trn-1" in screen.lines[-1]
    asked = len(server.requests)
    follower.look()
    assert len(server.asked("GET", "/v1/task-runs/trn-1")) == 1
    assert len(server.asked("GET", "/v1/task-runs/trn-2")) == 1, "a run that no longer exists is asked for once"
    assert len(server.requests) == asked + 2


def test_a_flood_of_printed_lines_is_cut(follower: followers.Follower, screen: Screen) -> None:
    follower.look([a_log(f"line {number}") for number in range(1000)])
    assert "… and 800 more lines" in screen.lines[-1]
    assert len(screen.lines) == 201


def test_each_registration_is_told_once(server: FakeServer, follower: followers.Follower, screen: Screen) -> None:
    set_versions(server, "ready", "registering")
    follower.look()
    assert screen.lines == []
    set_versions(server, "ready", "registration_failed")
    follower.look()
    follower.look()
    assert "\n".join(screen.lines).count("NameError: x") == 1
    assert "still serving the last good version" in "\n".join(screen.lines)
    server.answer("GET", "/v1/tasks", [{"task": a_task("hallo")}])
    set_versions(server, "ready", "registration_failed", "ready")
    follower.look()
    assert screen.lines[-1] == "Reloaded  + hallo  - hello"


def test_an_older_registration_does_not_count(
    server: FakeServer, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_versions(server, "ready")
    set_runs(server)
    server.answer("GET", "/v1/tasks", [])
    looks = []

    def check() -> None:
        looks.append(1)
        set_versions(server, "ready", "registration_failed")

    with connections.Connection(settings.Settings(server.url)) as connection:
        follower = followers.Follower(connection, screen.show)
        follower.wait_registered(check, datetime(2026, 11, 22, 10, 0, 1, 500_000, tzinfo=UTC))
    assert len(looks) == 1
    assert follower.failed is not None
    assert follower.failed["id"] == "wfv-2"


@pytest.mark.parametrize(
    "line", [{}, {"event": "started", "level": "info"}, {"run": "trn-1", "task": "hello", "time": "x"}]
)
def test_only_repeated_output_of_tasks_is_taken_for_it(line: dict[str, str]) -> None:
    assert logs.echoed(line) is None
