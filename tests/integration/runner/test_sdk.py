"""The runner with the real Python SDK, forking and as a worker."""

from __future__ import annotations

import json
import sys
from contextlib import AsyncExitStack

import pytest

from tests.integration.runner.cgroups import memory_cgroup, remove_memory_cgroup
from tests.integration.runner.control_planes import ControlPlane, running
from tests.integration.runner.test_endings import summary, until_line

APP = ("--app", "tests.integration.runner.sdk_app:app")
PYTHON = {"SKERRY_PYTHON": sys.executable}


@pytest.mark.parametrize("isolation", ["process", "worker", "container"])
async def test_task_runs_and_its_output_is_its_own(control_plane: ControlPlane, isolation: str) -> None:
    async with running(control_plane, *APP, "--isolation", isolation, **PYTHON):
        await control_plane.assign("a", "add", 2, 3)
        outcome = await control_plane.outcome("a")
    assert json.loads(outcome["result"]) == [5]
    assert control_plane.lines("a") == [("stdout", "adding 2 and 3")]


@pytest.mark.parametrize("isolation", ["process", "worker"])
async def test_children_are_awaited_together(control_plane: ControlPlane, isolation: str) -> None:
    async with running(control_plane, *APP, "--isolation", isolation, **PYTHON):
        await control_plane.assign("a", "add_all", [1, 2, 3])
        outcome = await control_plane.outcome("a")
    assert json.loads(outcome["result"]) == [126]


async def test_the_kernels_kill_for_memory_ends_the_attempt_and_nothing_else(control_plane: ControlPlane) -> None:
    limit = 192 * 1024 * 1024
    async with AsyncExitStack() as stack:
        with memory_cgroup(limit):
            stack.callback(remove_memory_cgroup)
            await stack.enter_async_context(running(control_plane, *APP, **PYTHON))
        await control_plane.assign("greedy", "holds", 400)
        greedy = await control_plane.outcome("greedy")
        await control_plane.assign("modest", "add", 1, 2)
        modest = await control_plane.outcome("modest")
    reason, message = summary(greedy)
    assert reason == "oom_killed"
    assert "give the task a larger plan" in message
    assert json.loads(modest["result"]) == [3]


async def test_worker_runs_attempts_side_by_side_in_one_process(control_plane: ControlPlane) -> None:
    async with running(control_plane, *APP, "--isolation", "worker", capacity=4, **PYTHON):
        for number in range(4):
            await control_plane.assign(f"w{number}", "waits", 0.3)
        for number in range(4):
            assert json.loads((await control_plane.outcome(f"w{number}"))["result"]) == ["waited"]
        await control_plane.assign("p", "process_id")
        await control_plane.assign("q", "process_id")
        assert await control_plane.outcome("p") == await control_plane.outcome("q")


async def test_worker_cancels_one_attempt_and_keeps_the_others(control_plane: ControlPlane) -> None:
    async with running(control_plane, *APP, "--isolation", "worker", capacity=4, **PYTHON):
        await control_plane.assign("a", "waits", 30)
        await control_plane.assign("b", "waits", 0.5)
        await control_plane.assign("c", "waits", 30, timeout=0.3)
        await until_line(control_plane, "a", "waiting")
        await control_plane.send("cancel", attempt="a", reason="canceled", grace_seconds=5)
        assert (await control_plane.outcome("a", seconds=2))["status"] == "canceled"
        assert summary(await control_plane.outcome("c")) == ("timeout", "ran longer than its timeout of 0.3 s")
        assert (await control_plane.outcome("b"))["status"] == "succeeded"


async def test_worker_with_an_attempt_that_does_not_end_is_replaced(control_plane: ControlPlane) -> None:
    async with running(control_plane, *APP, "--isolation", "worker", capacity=2, **PYTHON):
        await control_plane.assign("first", "process_id")
        first = await control_plane.outcome("first")
        await control_plane.assign("a", "blocks", 30, timeout=0.3)
        assert (await control_plane.outcome("a"))["reason"] == "timeout"
        await control_plane.assign("second", "process_id")
        second = await control_plane.outcome("second")
    assert second["status"] == "succeeded"
    assert second["result"] != first["result"]


async def test_worker_that_dies_ends_its_attempts_and_is_started_again(control_plane: ControlPlane) -> None:
    async with running(control_plane, *APP, "--isolation", "worker", capacity=2, **PYTHON):
        await control_plane.assign("a", "dies")
        died = await control_plane.outcome("a")
        await control_plane.assign("b", "add", 1, 1)
        assert json.loads((await control_plane.outcome("b"))["result"]) == [2]
    assert summary(died) == ("exited", "the process exited with status 5 before returning a result")


async def test_worker_that_cannot_import_fails_every_attempt_with_the_traceback(control_plane: ControlPlane) -> None:
    async with running(control_plane, "--app", "tests.nowhere:app", "--isolation", "worker", **PYTHON):
        for attempt in ("a", "b"):
            await control_plane.assign(attempt, "add", 1, 1)
            outcome = await control_plane.outcome(attempt)
            assert outcome["reason"] == "error"
            assert "ModuleNotFoundError" in outcome["error"]["stack_trace"]


async def test_more_attempts_than_lanes_run_while_the_others_wait_for_them(control_plane: ControlPlane) -> None:
    control_plane.children = lambda _: None
    async with running(control_plane, *APP, "--isolation", "worker", capacity=1, **PYTHON):
        await control_plane.assign("parent", "add_all", [1])
        spawn = await control_plane.expect("spawn")
        await control_plane.expect("waiting", waiting=True)
        await control_plane.assign("child", "add", 1, 0)
        assert (await control_plane.outcome("child"))["status"] == "succeeded"
        run = f"trn-child-{spawn['call']}"
        await control_plane.send(
            "child_finished", attempt="parent", run=run, status="succeeded", result="[1]", error=None
        )
        assert json.loads((await control_plane.outcome("parent"))["result"]) == [1]


@pytest.mark.parametrize("isolation", ["process", "worker"])
async def test_tasks_are_registered(control_plane: ControlPlane, isolation: str) -> None:
    async with running(control_plane, *APP, "--isolation", isolation, **PYTHON):
        await control_plane.send("register")
        registered = await control_plane.expect("registered")
    names = {task["name"] for task in registered["tasks"]}
    assert {"add", "add_all", "waits"} <= names
