"""The conversation with the control plane: losing it, resuming it, leaving it."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from tests.integration.runner.control_planes import PROGRAM, ControlPlane, running
from tests.integration.runner.test_endings import until_line


async def test_result_survives_the_loss_of_the_connection(control_plane: ControlPlane) -> None:
    async with running(control_plane):
        await control_plane.assign("a", "sleeps", 0.4)
        await until_line(control_plane, "a", "sleeping")
        await control_plane.stop()
        await asyncio.sleep(0.6)
        await control_plane.start()
        outcome = await control_plane.outcome("a")
    assert json.loads(outcome["result"]) == ["slept"]
    hello = [message for message in control_plane.messages if message["type"] == "hello"][-1]
    assert hello["resuming"] == [{"attempt": "a", "token": "token-a"}]


async def test_what_is_not_acknowledged_is_sent_again_with_the_same_numbers(control_plane: ControlPlane) -> None:
    control_plane.acknowledge = False
    async with running(control_plane):
        await control_plane.assign("a", "prints", 1)
        await control_plane.outcome("a")
        first = [m for m in control_plane.messages if "seq" in m]
        await control_plane.stop()
        control_plane.messages.clear()
        control_plane.acknowledge = True
        await control_plane.start()
        await control_plane.outcome("a")
        assert [m for m in control_plane.messages if "seq" in m] == first
        await control_plane.stop()
        control_plane.messages.clear()
        await control_plane.start()
        hello = await control_plane.expect("hello")
    assert hello["resuming"] == []


async def test_hello_tells_who_and_where(control_plane: ControlPlane) -> None:
    place = {"SKERRY_POD_NAME": "pod-1", "SKERRY_POD_UID": "u", "SKERRY_NODE_NAME": "n"}
    async with running(control_plane, "--isolation", "container", SKERRY_PINNED_ATTEMPT="att-1", **place):
        hello = await control_plane.expect("hello")
    assert hello == {
        "type": "hello",
        "protocol": 1,
        "runner": "rnr-1",
        "pool": "pool",
        "version": "wfv-1",
        "pod": {"name": "pod-1", "uid": "u", "node": "n"},
        "capacity": 1,
        "isolation": "container",
        "pinned_attempt": "att-1",
        "resuming": [],
    }


async def test_exit_waits_for_what_runs(control_plane: ControlPlane) -> None:
    async with running(control_plane) as runner:
        await control_plane.assign("a", "sleeps", 0.3)
        await control_plane.send("exit")
        assert await runner.leave() == 0
    assert (await control_plane.outcome("a"))["status"] == "succeeded"


async def test_container_leaves_after_one_run(control_plane: ControlPlane) -> None:
    async with running(control_plane, "--isolation", "container") as runner:
        await control_plane.assign("a", "noop")
        await control_plane.outcome("a")
        assert await runner.leave() == 0


async def test_foreign_program_runs_in_a_fresh_process_per_attempt(control_plane: ControlPlane) -> None:
    async with running(control_plane, command=PROGRAM):
        for attempt in ("a", "b", "c"):
            await control_plane.assign(attempt, "closes_connections")
            assert json.loads((await control_plane.outcome(attempt))["result"]) == [attempt]
        timings = (await control_plane.expect("complete", attempt="a"))["timings"]
    assert timings["import_seconds"] == 0.5


async def test_program_that_cannot_be_started_fails_the_attempt(control_plane: ControlPlane) -> None:
    async with running(control_plane, command=["/nowhere/program"]):
        await control_plane.assign("a", "noop")
        outcome = await control_plane.outcome("a")
        await control_plane.assign("b", "noop")
        await control_plane.outcome("b")
    assert outcome["error"]["message"] == "/nowhere/program cannot be started: No such file or directory"


async def test_program_that_ends_before_asking_fails_the_attempt_with_its_words(control_plane: ControlPlane) -> None:
    async with running(control_plane, command=["sh", "-c", "echo no such module >&2; exit 1"]):
        await control_plane.assign("a", "noop")
        outcome = await control_plane.outcome("a")
    assert outcome["error"]["message"] == "the process exited with status 1 before asking for its input"
    assert outcome["error"]["stack_trace"] == "no such module"


async def test_registration_reports_tasks(control_plane: ControlPlane) -> None:
    async with running(control_plane, command=PROGRAM):
        await control_plane.send("register")
        registered = await control_plane.expect("registered")
    assert registered == {"type": "registered", "tasks": [{"name": "noop", "options": {}, "parameters": []}]}


async def test_registration_reports_the_import_error(control_plane: ControlPlane) -> None:
    async with running(control_plane, SKERRY_TEST_IMPORT="fail"):
        await control_plane.send("register")
        error = (await control_plane.expect("registered"))["error"]
    assert error["type"] == "ModuleNotFoundError"
    assert error["message"] == "No module named 'nothing'"
    assert error["stack_trace"].startswith("looking for tasks\nTraceback (most recent call last)")


async def test_user_code_does_not_see_the_token(control_plane: ControlPlane) -> None:
    command = ["sh", "-c", "env >&2; exit 1"]
    async with running(control_plane, command=command):
        await control_plane.assign("a", "noop")
        outcome = await control_plane.outcome("a")
    assert "SKERRY_SDK_MODE=run" in outcome["error"]["stack_trace"]
    assert "SKERRY_RUNNER_TOKEN" not in outcome["error"]["stack_trace"]
    assert "SKERRY_RUNNER_TOKEN" not in os.environ


async def test_word_that_a_finished_attempt_was_superseded_harms_nobody_else(control_plane: ControlPlane) -> None:
    control_plane.acknowledge = False
    async with running(control_plane, capacity=1) as runner:
        await control_plane.assign("old", "noop")
        await control_plane.outcome("old")
        await control_plane.assign("new", "sleeps", 0.5)
        await until_line(control_plane, "new", "sleeping")
        await control_plane.send("cancel", attempt="old", reason="superseded", grace_seconds=0)
        control_plane.acknowledge = True
        assert (await control_plane.outcome("new"))["status"] == "succeeded"
        await control_plane.send("exit")
        await control_plane.send("cancel", attempt="new", reason="superseded", grace_seconds=0)
        assert await runner.leave() == 0


async def test_refused_token_is_tried_again(control_plane: ControlPlane) -> None:
    async with running(control_plane, SKERRY_RUNNER_TOKEN="wrong") as runner:
        await asyncio.sleep(1)
        assert runner.process.returncode is None
    assert control_plane.connections == 0


async def test_container_does_not_leave_before_its_process(control_plane: ControlPlane, tmp_path: Path) -> None:
    async with running(control_plane, "--isolation", "container") as runner:
        await control_plane.assign("a", "says_goodbye", str(tmp_path / "said"))
        assert await runner.leave() == 0
    assert (tmp_path / "said").read_text() == "goodbye"


async def test_container_that_waited_rests_after_its_run(control_plane: ControlPlane, tmp_path: Path) -> None:
    place = {"SKERRY_POD_NAME": "pod-1", "SKERRY_POD_UID": "u", "SKERRY_NODE_NAME": "n"}
    async with running(control_plane, "--isolation", "container", **place) as runner:
        await control_plane.assign("a", "says_goodbye", str(tmp_path / "said"))
        await control_plane.outcome("a")
        with pytest.raises(TimeoutError):
            await runner.leave(0.5)
        assert not (tmp_path / "said").exists(), "the process rests too"
        assert await runner.leave() == 0
    assert (tmp_path / "said").read_text() == "goodbye"
