import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.sdk.runners import FakeRunner, decoded

PAUSES = """

@app.task
def pauses() -> None:
    try:
        for _ in range(3000):
            time.sleep(0.01)
    finally:
        print("cleaned up")
"""


@contextmanager
def runtime(
    program: Path, mode: str, runner: FakeRunner | None, target: str = "main.py", **env: str
) -> Iterator[subprocess.Popen[str]]:
    settings = {"SKERRY_SDK_MODE": mode, **({"SKERRY_SDK_SOCKET_PATH": runner.path} if runner else {}), **env}
    process = subprocess.Popen(
        [sys.executable, "-m", "skerry.runtime", target],
        cwd=program.parent,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        with process:
            yield process
            if process.poll() is None and mode == "worker":
                process.terminate()
    finally:
        if process.poll() is None:
            process.kill()


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=20)
    return process.returncode, out, err


def test_run_mode_serves_one_attempt(program: Path, runner: FakeRunner) -> None:
    runner.assign("sequential", [2])
    with runtime(program, "run", runner) as process:
        assert finished(process) == (0, "imported\n", "")
    assert runner.result() == [10]


def test_register_mode_reports_the_tasks(program: Path, runner: FakeRunner) -> None:
    with runtime(program, "register", runner, "main:app") as process:
        assert finished(process)[0] == 0
    (body,) = runner.bodies("/register-tasks")
    assert {"square", "missing", "who"} <= {task["name"] for task in body["tasks"]}


def test_register_mode_explains_a_program_that_cannot_be_imported(tmp_path: Path, runner: FakeRunner) -> None:
    (tmp_path / "main.py").write_text("def broken(:\n")
    with runtime(tmp_path / "main.py", "register", runner) as process:
        status, _, err = finished(process)
    assert status == 1
    assert "SyntaxError" in err
    assert err.endswith("skerry: main.py cannot be imported\n")
    assert runner.requests == []


@pytest.mark.parametrize(
    ("mode", "target", "message"),
    [
        ("dance", "main.py", "SKERRY_SDK_MODE must be one of zygote, run, worker, register, got 'dance'"),
        ("run", "main.py", "SKERRY_SDK_SOCKET_PATH is not set"),
        ("zygote", "main.py", "SKERRY_ZYGOTE_FD is not set"),
    ],
)
def test_wrong_settings_are_named(program: Path, mode: str, target: str, message: str) -> None:
    with runtime(program, mode, None, target) as process:
        status, _, err = finished(process)
    assert status == 1
    assert message in err


def test_a_file_inside_a_package_may_import_its_neighbours(tmp_path: Path, runner: FakeRunner) -> None:
    package = tmp_path / "shop" / "tasks"
    package.mkdir(parents=True)
    (tmp_path / "shop" / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "prices.py").write_text("PRICE = 7\n")
    (package / "main.py").write_text(
        "from skerry import Workflows\nfrom .prices import PRICE\nflow = Workflows()\nflow.task(name='price')(lambda: PRICE)\n"
    )
    runner.assign("price", [])
    with runtime(tmp_path / "any", "run", runner, "shop/tasks/main.py:flow") as process:
        assert finished(process)[0] == 0
    assert runner.result() == [7]


def test_a_worker_serves_many_runs_at_once(program: Path, runner: FakeRunner) -> None:
    with runtime(program, "worker", runner, SKERRY_WORKER_CONCURRENCY="20") as process:
        for number in range(60):
            runner.assign(
                "double" if number % 2 else "square", [number], attempt=f"atm-{number}", task_run_id=f"trn-{number}"
            )
        runner.outcome(60)
        process.terminate()
        status, out, err = finished(process)
    results = {
        headers["skerry-attempt"]: decoded(body["complete"]["output"])[0]
        for route, headers, body in runner.requests
        if route == "/callback"
    }
    assert results == {f"atm-{n}": 2 * n if n % 2 else n * n for n in range(60)}
    lines = out.rstrip("\n").split("\n")
    assert lines[0] == "imported"
    assert sorted(lines[1:]) == sorted(f"\x1eatm-{n}\x1fsquaring {n}" for n in range(0, 60, 2))
    assert (status, err) == (0, "")


def test_a_workers_children_carry_their_attempt(program: Path, runner: FakeRunner) -> None:
    with runtime(program, "worker", runner) as process:
        runner.assign("fan_out", [3], attempt="atm-7")
        assert runner.result() == [30]
        process.terminate()
        finished(process)
    spawned = [headers["skerry-attempt"] for route, headers, _ in runner.requests if route == "/run-subtasks"]
    assert spawned == ["atm-7"]


@pytest.mark.parametrize("task", ["sleeps_async", "pauses"])
def test_a_worker_cancels_one_run_and_keeps_the_others(
    program: Path, runner: FakeRunner, tmp_path: Path, task: str
) -> None:
    (tmp_path / "main.py").write_text(program.read_text() + PAUSES)
    with runtime(tmp_path / "main.py", "worker", runner) as process:
        runner.assign(task, [], attempt="atm-1")
        runner.assign("square", [2], attempt="atm-2")
        assert runner.result() == [4]
        time.sleep(0.1)
        runner.cancel("atm-1")
        error = runner.outcome(2)["error"]
        process.terminate()
        out = finished(process)[1]
    assert (error["type"], error["details"]) == ("RunCanceled", "the run was canceled")
    assert "\x1eatm-1\x1fcleaned up" in out.split("\n")
