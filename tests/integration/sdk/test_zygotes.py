import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.sdk.runners import FakeRunner
from tests.integration.sdk.zygotes import ZygoteProcess, read_all

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="orphans can only be adopted on Linux")


def run(
    zygote: ZygoteProcess, runner: FakeRunner, task: str, *arguments: Any
) -> tuple[dict[str, Any], dict[str, Any], str, str]:
    """Fork, assign, wait: the outcome, the exit message, stdout and stderr."""
    _, out, err = zygote.fork(runner.path)
    runner.assign(task, list(arguments))
    outcome = runner.outcome()
    exited = zygote.message()
    return outcome, exited, read_all(out), read_all(err)


def test_a_forked_child_runs_one_attempt_and_exits(zygote: ZygoteProcess, runner: FakeRunner) -> None:
    pid, out, err = zygote.fork(runner.path, slot=5)
    runner.assign("square", [3])
    assert runner.result() == [9]
    exited = zygote.message()
    assert (exited["type"], exited["slot"], exited["pid"], exited["status"]) == ("exited", 5, pid, 0)
    assert 0 < exited["cpu_seconds"] < 1
    assert exited["max_rss_bytes"] > 1_000_000
    assert read_all(out) == "squaring 3"
    assert read_all(err) == ""


def test_children_stand_by_before_there_is_work(zygote: ZygoteProcess, tmp_path: Path) -> None:
    with FakeRunner(tmp_path / "a.sock") as first, FakeRunner(tmp_path / "b.sock") as second:
        outputs = [zygote.fork(first.path, 0), zygote.fork(second.path, 1)]
        second.assign("double", [2])
        assert second.result() == [4]
        assert zygote.message()["slot"] == 1
        first.assign("double", [1])
        assert first.result() == [2]
        assert zygote.message()["slot"] == 0
        for _, out, err in outputs:
            os.close(out)
            os.close(err)


def test_a_run_knows_itself(zygote: ZygoteProcess, runner: FakeRunner) -> None:
    run(zygote, runner, "who")
    assert runner.result() == [
        {
            "run": "trn-1",
            "thread": "trn-1",
            "number": 1,
            "parent": None,
            "metadata": {"tenant": "t1"},
            "year": 2099,
            "workflow": "shop",
            "mode": "run",
            "socket": runner.path,
            "session": True,
        }
    ]


@linux_only
def test_a_child_that_has_waited_has_few_pages_left_to_copy(zygote: ZygoteProcess, runner: FakeRunner) -> None:
    pid, out, err = zygote.fork(runner.path)
    waited = _faults_once_still(pid)
    runner.assign("faults", [])
    (at_code,) = runner.result()
    assert at_code - waited < 40, "without a rehearsal of its own it has about a hundred"
    assert zygote.message()["status"] == 0
    assert read_all(out) + read_all(err) == ""


def _faults_once_still(pid: int) -> int:
    """Page faults of a process that has had none for a while."""
    deadline, found, since = time.monotonic() + 10, -1, 0.0
    while time.monotonic() < deadline:
        # Its tenth value, the eighth after the name.
        now = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[7])
        if now != found:
            found, since = now, time.monotonic()
        elif time.monotonic() - since > 0.5:
            return found
        time.sleep(0.02)
    raise AssertionError("the child is never still")


def test_logging_works_without_being_set_up(zygote: ZygoteProcess, runner: FakeRunner) -> None:
    _, _, _, err = run(zygote, runner, "logs")
    assert err == "INFO skerry.task.logs: hello from logs\n"


@pytest.mark.parametrize(
    ("task", "arguments", "kind", "details"),
    [
        ("refuses", [], "NonRetryable", "never"),
        ("square", ["x"], "InvalidInput", "square(x): expected int, got string 'x'"),
        ("square", [], "InvalidInput", "square(): argument 'x' is missing"),
        ("cube", [], "InvalidInput", "this version has no task 'cube'"),
        (
            "bad_result",
            [],
            "SerializationError",
            "bad_result() -> result['file']: cannot serialize object of type TextIOWrapper",
        ),
    ],
)
def test_failures_are_reported(
    zygote: ZygoteProcess, runner: FakeRunner, task: str, arguments: list[Any], kind: str, details: str
) -> None:
    outcome, exited, _, _ = run(zygote, runner, task, *arguments)
    assert outcome["error"]["type"] == kind
    assert outcome["error"]["details"].startswith(details)
    assert outcome["error"].get("retryable", True) is (kind == "SerializationError")
    assert exited["status"] == 0


@pytest.mark.parametrize("task", ["sleeps", "sleeps_async"])
def test_sigterm_lets_a_run_clean_up(zygote: ZygoteProcess, runner: FakeRunner, task: str) -> None:
    pid, out, err = zygote.fork(runner.path)
    runner.assign(task, [])
    with open(out, "rb") as file:
        assert file.readline() == b"sleeping\n"
        os.killpg(pid, signal.SIGTERM)
        assert file.read() == b"cleaned up\n"
    exited = zygote.message()
    assert os.waitstatus_to_exitcode(exited["status"]) == 128 + signal.SIGTERM
    assert runner.callbacks == []
    assert read_all(err) == ""


def test_a_process_that_dies_is_reported(zygote: ZygoteProcess, runner: FakeRunner) -> None:
    _, out, err = zygote.fork(runner.path)
    runner.assign("dies", [])
    assert os.waitstatus_to_exitcode(zygote.message()["status"]) == 3
    os.close(out)
    os.close(err)


@linux_only
def test_what_a_run_leaves_behind_dies_with_it(zygote: ZygoteProcess, runner: FakeRunner) -> None:
    run(zygote, runner, "leaves_orphans")
    (orphan,) = runner.result()
    with pytest.raises(ProcessLookupError):
        os.kill(orphan, 0)


def test_a_lost_answer_is_asked_for_again(zygote: ZygoteProcess, runner: FakeRunner) -> None:
    runner.answers["/callback"] = [(503, {"code": "away", "message": "Postgres is away"})]
    run(zygote, runner, "double", 4)
    assert runner.result() == [8]
    assert len(runner.bodies("/callback")) == 2


def test_stream_sockets_work_too(program: Path, runner: FakeRunner) -> None:
    with ZygoteProcess("main:app", program.parent, socket.SOCK_STREAM) as process:
        assert process.message()["type"] == "ready"
        _, out, err = process.fork(runner.path)
        runner.assign("double", [3])
        assert runner.result() == [6]
        os.close(out)
        os.close(err)


def test_when_the_runner_hangs_up_everything_ends(program: Path, runner: FakeRunner) -> None:
    with ZygoteProcess("main.py", program.parent) as process:
        assert process.message()["type"] == "ready"
        pid, out, err = process.fork(runner.path)
        os.close(out)
        os.close(err)
    assert process.process.returncode == 0
    _expect_gone(pid)


@linux_only
def test_when_the_runner_hangs_up_during_a_fork_everything_ends(program: Path, runner: FakeRunner) -> None:
    with ZygoteProcess("main.py", program.parent) as process:
        assert process.message()["type"] == "ready"
        zygote, null = process.process.pid, os.open(os.devnull, os.O_WRONLY)
        process.order([[0, runner.path]], [null, null])
        first = _children(zygote, 1)
        process.order([[slot, runner.path] for slot in range(1, 9)], [null, null] * 8)
        _children(zygote, 3)
        # It forks, and has not told of it; that it forked before is not read yet, which makes the end of a socket an error.
        os.kill(zygote, signal.SIGSTOP)
        process.socket.close()
        children = _children(zygote, 3)
        os.kill(zygote, signal.SIGCONT)
        process.process.wait(10)
        os.close(null)
        assert process.process.stderr is not None
        assert process.process.stderr.read() == b""
    assert process.process.returncode == 0
    assert first[0] in children
    for child in children:
        _expect_gone(child)


def _children(pid: int, least: int) -> list[int]:
    """The children of a process, once there are as many."""
    deadline, found = time.monotonic() + 10, list[int]()
    while time.monotonic() < deadline and len(found) < least:
        found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    assert len(found) >= least
    return found


def _expect_gone(pid: int) -> None:
    end = time.monotonic() + 2
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    pytest.fail("the child outlived its zygote")


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("import nowhere_to_be_found\n", "ModuleNotFoundError", "No module named 'nowhere_to_be_found'"),
        ("x = 1\n", "ConfigurationError", "broken.py has no Workflows object"),
        (
            "from skerry import Workflows\na, b = Workflows(), Workflows()\n",
            "ConfigurationError",
            "several Workflows objects (a, b)",
        ),
    ],
)
def test_a_program_that_cannot_be_imported_is_reported(tmp_path: Path, source: str, kind: str, message: str) -> None:
    (tmp_path / "broken.py").write_text(source)
    with ZygoteProcess("broken.py", tmp_path) as process:
        failed = process.message()
        process.process.wait(10)
    assert failed["type"] == "failed"
    assert failed["error"]["type"] == kind
    assert message in failed["error"]["message"]
    assert "importlib" not in failed["error"]["stack_trace"]
    assert process.process.returncode == 1
