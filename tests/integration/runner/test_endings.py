"""Every way in which an attempt can end, with real processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from skerry_runner.crowds import unheard_seconds
from tests.integration.runner.control_planes import PROGRAM, ControlPlane, is_alive, running, until_dead


async def test_results_errors_and_deaths_are_told_apart(control_plane: ControlPlane) -> None:
    async with running(control_plane, capacity=4):
        await control_plane.assign("echo", "echo", 1, "zwei", None)
        await control_plane.assign("raises", "raises", False)
        await control_plane.assign("exits", "exits", 3)
        await control_plane.assign("zero", "exits", 0)
        await control_plane.assign("crashes", "crashes")
        await control_plane.assign("killed", "kills_itself")
        await control_plane.assign("invalid", "returns_text", "[NaN]")
        await control_plane.assign("void", "returns_text", "")
        await control_plane.assign("large", "returns_bytes", 5 * 1024 * 1024)

        assert await control_plane.outcome("echo") == succeeded(json.dumps([[1, "zwei", None]]))
        assert await control_plane.outcome("void") == succeeded(None)
        raised = await control_plane.outcome("raises")
        exits, zero = await control_plane.outcome("exits"), await control_plane.outcome("zero")
        crashes, killed = await control_plane.outcome("crashes"), await control_plane.outcome("killed")
        invalid, large = await control_plane.outcome("invalid"), await control_plane.outcome("large")

    error = {"type": "ValueError", "message": "it broke?", "stack_trace": "Traceback: here", "retryable": False}
    assert raised == {"status": "failed", "result": None, "error": error, "reason": "error"}
    assert summary(exits) == ("exited", "the process exited with status 3 before returning a result")
    assert exits["error"]["stack_trace"] == "last words"
    assert summary(zero) == ("exited", "the process exited with status 0 before returning a result")
    assert summary(crashes) == ("exited", "the process was killed by signal 11 (SIGSEGV) before returning a result")
    assert summary(killed) == ("exited", "the process was killed by signal 9 (SIGKILL) before returning a result")
    assert invalid["reason"] == "error"
    assert "not valid JSON" in invalid["error"]["message"]
    assert large["reason"] == "payload_too_large"
    assert large["error"]["message"].startswith("the result is 5 MiB and may be at most 4 MiB")


async def test_what_ends_in_a_crowd_is_heard_when_the_others_have_begun(control_plane: ControlPlane) -> None:
    place = {"SKERRY_POD_NAME": "pod-1", "SKERRY_POD_UID": "u", "SKERRY_NODE_NAME": "n"}
    crowd = 100_000  # on a machine of any size
    for task, result in (("echo", "[[]]"), ("succeeds_and_dies", "[7]")):
        async with running(control_plane, "--isolation", "container", **place):
            await control_plane.expect("ready")
            await control_plane.assign(task, task, company=crowd)
            assert await control_plane.outcome(task) == succeeded(result)
        complete = await control_plane.expect("complete", attempt=task)
        seconds = moment(complete["finished_at"]) - moment(complete["started_at"])
        assert seconds >= unheard_seconds(crowd, 1) - 0.001, "its end was in the way of others"
        control_plane.messages.clear()


async def test_completion_tells_times_and_usage(control_plane: ControlPlane) -> None:
    async with running(control_plane):
        await control_plane.assign("a", "sleeps", 0.1)
        started = await control_plane.expect("started", attempt="a")
        complete = await control_plane.expect("complete", attempt="a")
    assert started["token"] == complete["token"] == "token-a"
    assert started["started_at"] == complete["started_at"] < complete["finished_at"]
    assert complete["seq"] > started["seq"]
    assert complete["usage"]["max_rss_bytes"] > 1_000_000
    assert 0 < complete["usage"]["cpu_seconds"] < 1
    assert complete["timings"]["start_seconds"] < 5


async def test_timeout_ends_the_process_group_after_a_grace(control_plane: ControlPlane) -> None:
    async with running(control_plane, capacity=3):
        await control_plane.assign("polite", "cleans_up", timeout=0.3)
        await control_plane.assign("stubborn", "ignores_sigterm", 30, timeout=0.3)
        polite, stubborn = await control_plane.outcome("polite"), await control_plane.outcome("stubborn")
    assert summary(polite) == summary(stubborn) == ("timeout", "ran longer than its timeout of 0.3 s")
    assert ("stdout", "cleaned up") in control_plane.lines("polite")


async def test_cancel_grants_its_own_grace(control_plane: ControlPlane) -> None:
    async with running(control_plane, capacity=2):
        await control_plane.assign("a", "ignores_sigterm", 0.4)
        await control_plane.assign("b", "ignores_sigterm", 30)
        await until_line(control_plane, "a", "sleeping")
        await until_line(control_plane, "b", "sleeping")
        for attempt in ("a", "b"):
            await control_plane.send("cancel", attempt=attempt, reason="canceled", grace_seconds=1)
        began = time.monotonic()
        late = await control_plane.outcome("a")
        assert time.monotonic() - began < 0.9
        stubborn = await control_plane.outcome("b")
        assert time.monotonic() - began > 0.9
    assert late["status"] == stubborn["status"] == "canceled"
    assert late["result"] is None


async def test_queued_attempt_is_canceled_without_ever_starting(control_plane: ControlPlane) -> None:
    async with running(control_plane, "--no-preload", command=["sleep", "30"]):
        await control_plane.assign("a", "noop")
        await control_plane.send("cancel", attempt="a", reason="canceled", grace_seconds=5)
        complete = await control_plane.expect("complete", attempt="a")
    assert complete["started_at"] is None
    assert complete["outcome"]["status"] == "canceled"


async def test_superseded_attempt_is_killed_in_silence(control_plane: ControlPlane, tmp_path: Path) -> None:
    async with running(control_plane):
        await control_plane.assign("a", "lingers", str(tmp_path / "pid"))
        await control_plane.assign("b", "ignores_sigterm", 30)
        await until_line(control_plane, "b", "sleeping")
        await control_plane.send("cancel", attempt="b", reason="superseded", grace_seconds=5)
        await control_plane.assign("c", "noop")
        await control_plane.outcome("c")
        await asyncio.sleep(0.3)
    assert not [m for m in control_plane.messages if m["type"] == "complete" and m["attempt"] == "b"]


async def test_lingering_process_does_not_delay_completion(control_plane: ControlPlane, tmp_path: Path) -> None:
    path = tmp_path / "pid"
    async with running(control_plane):
        await control_plane.assign("a", "lingers", str(path))
        await control_plane.outcome("a", seconds=1)
        pid = await pid_from(path)
        await asyncio.sleep(0.5)
        assert is_alive(pid)
        await until_dead(pid, 3)


async def test_daemon_does_not_outlive_its_attempt(control_plane: ControlPlane, tmp_path: Path) -> None:
    async with running(control_plane):
        await control_plane.assign("a", "daemonises", str(tmp_path / "daemon"))
        assert (await control_plane.outcome("a"))["status"] == "succeeded"
        await until_dead(await pid_from(tmp_path / "daemon"), 3)
        await control_plane.assign("b", "starts_child", str(tmp_path / "child"))
        await control_plane.outcome("b")
        await until_dead(await pid_from(tmp_path / "child"), 3)


async def test_daemon_of_a_fresh_process_does_not_outlive_its_attempt(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    async with running(control_plane, command=PROGRAM):
        await control_plane.assign("a", "daemonises", str(tmp_path / "daemon"))
        assert (await control_plane.outcome("a"))["status"] == "succeeded"
        await until_dead(await pid_from(tmp_path / "daemon"), 3)


async def test_memory_above_the_plan_kills_the_attempt(control_plane: ControlPlane) -> None:
    async with running(control_plane, "--enforce-memory"):
        await control_plane.assign("a", "uses_memory", 160 << 20)
        outcome = await control_plane.outcome("a")
    assert outcome["reason"] == "oom_killed"
    assert "allowed are 100 MiB" in outcome["error"]["message"]
    assert "larger plan" in outcome["error"]["message"]


async def test_death_of_the_zygote_loses_its_attempts_and_nothing_more(control_plane: ControlPlane) -> None:
    async with running(control_plane) as runner:
        await control_plane.assign("a", "sleeps", 30)
        await until_line(control_plane, "a", "sleeping")
        (zygote,) = children_of(runner.pid)
        os.kill(zygote, signal.SIGKILL)
        lost = await control_plane.outcome("a")
        await control_plane.assign("b", "noop")
        assert (await control_plane.outcome("b"))["status"] == "succeeded"
    assert summary(lost) == (
        "runner_lost",
        "the process that user code is forked from was killed by signal 9 (SIGKILL)",
    )


async def test_import_failure_fails_every_attempt_with_the_traceback(control_plane: ControlPlane) -> None:
    async with running(control_plane, SKERRY_TEST_IMPORT="fail"):
        for attempt in ("a", "b"):
            await control_plane.assign(attempt, "noop")
            outcome = await control_plane.outcome(attempt)
            assert outcome["reason"] == "error"
            assert outcome["error"]["type"] == "ModuleNotFoundError"
            assert outcome["error"]["message"] == "the application cannot be imported: No module named 'nothing'"
            assert outcome["error"]["stack_trace"] == "Traceback …"


async def test_sigterm_lets_attempts_finish_within_the_grace(control_plane: ControlPlane) -> None:
    async with running(control_plane) as runner:
        await control_plane.assign("quick", "ignores_sigterm", 0.3)
        await control_plane.assign("slow", "ignores_sigterm", 30)
        await until_line(control_plane, "quick", "sleeping")
        await until_line(control_plane, "slow", "sleeping")
        runner.process.terminate()
        assert (await control_plane.outcome("quick"))["status"] == "succeeded"
        assert (await control_plane.outcome("slow"))["reason"] == "runner_lost"
        assert await runner.leave() == 0


async def test_sockets_are_where_they_were_asked_for_and_gone_at_the_end(control_plane: ControlPlane) -> None:
    with tempfile.TemporaryDirectory(prefix="skerry-", ignore_cleanup_errors=True) as folder:
        async with running(control_plane, "--sockets", folder) as runner:
            await control_plane.assign("a", "ignores_sigterm", 0)
            assert (await control_plane.outcome("a"))["status"] == "succeeded"
            assert {name[:5] for name in os.listdir(folder)} == {"slot-"}
            runner.process.terminate()
            assert await runner.leave() == 0
        with pytest.raises(FileNotFoundError):
            os.listdir(folder)


async def test_end_of_the_lifeline_kills_everything(control_plane: ControlPlane) -> None:
    read, write = os.pipe()
    os.set_inheritable(read, True)
    async with running(control_plane, "--lifeline-fd", str(read), pass_fds=(read,)) as runner:
        os.close(read)
        await control_plane.assign("a", "ignores_sigterm", 30)
        await until_line(control_plane, "a", "sleeping")
        pids = descendants_of(runner.pid)
        os.close(write)
        assert await runner.leave(3) == 0
        for pid in pids:
            await until_dead(pid, 2)


def succeeded(result: str | None) -> dict[str, Any]:
    return {"status": "succeeded", "result": result, "error": None, "reason": None}


def summary(outcome: dict[str, Any]) -> tuple[str, str]:
    return outcome["reason"], outcome["error"]["message"]


async def until_line(control_plane: ControlPlane, attempt: str, line: str) -> None:
    deadline = time.monotonic() + 5
    while ("stdout", line) not in control_plane.lines(attempt):
        assert time.monotonic() < deadline, f"{line!r} was not logged by {attempt}"
        await asyncio.sleep(0.01)


async def pid_from(path: Path) -> int:
    deadline = time.monotonic() + 5
    while (pid := number_in(path)) is None:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    return pid


def number_in(path: Path) -> int | None:
    text = path.read_text() if path.exists() else ""
    return int(text) if text else None


def children_of(pid: int) -> set[int]:
    return {
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    }


def descendants_of(pid: int) -> set[int]:
    children = children_of(pid)
    return children.union(*(descendants_of(child) for child in children))


async def test_a_program_that_never_asks_for_its_input_is_told_as_such(control_plane: ControlPlane) -> None:
    async with running(control_plane, command=["sleep", "60"], SKERRY_START_SECONDS="0.5"):
        await control_plane.assign("a", "noop")
        outcome = await control_plane.outcome("a")
    assert outcome["error"]["type"] == "ImportTimeout"
    assert outcome["error"]["message"] == "the program did not ask for its input within 0.5 s"


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
