"""Child runs: spawning, waiting, and saying so."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.integration.runner.control_planes import ControlPlane, running


async def test_child_run_is_spawned_once_and_its_result_delivered(control_plane: ControlPlane) -> None:
    async with running(control_plane):
        await control_plane.assign("a", "parent", 7)
        outcome = await control_plane.outcome("a")
    spawns = [message for message in control_plane.messages if message["type"] == "spawn"]
    assert len(spawns) == 1
    assert (
        spawns[0] | {"token": "token-a", "call": "first", "task": "noop", "input": "[7]", "options": {"plan": "pro"}}
        == spawns[0]
    )
    (result,) = json.loads(outcome["result"])
    assert result == {"still_running": False, "complete": {"output": "WzQyXQ=="}}


async def test_failed_child_is_told_with_its_error(control_plane: ControlPlane) -> None:
    control_plane.children = ignore
    async with running(control_plane):
        await control_plane.assign("a", "parent", 7)
        await control_plane.expect("spawn", attempt="a")
        error = {"type": "ValueError", "message": "no", "stack_trace": "Traceback"}
        await finish_child(control_plane, "a", "first", status="failed", result=None, error=error)
        outcome = await control_plane.outcome("a")
    (result,) = json.loads(outcome["result"])
    assert result["error"] == {"details": "no", "type": "ValueError", "stack_trace": "Traceback", "status": "failed"}


async def test_fan_out_takes_one_request_each_way(control_plane: ControlPlane) -> None:
    async with running(control_plane):
        await control_plane.assign("a", "fans_out", 200)
        outcome = await control_plane.outcome("a")
    (result,) = json.loads(outcome["result"])
    assert result["errors"] == ["task_not_found", "bad_request"]
    assert result["count"] == 200
    assert result["values"] == [[42]] * 200


async def test_waiting_is_said_and_taken_back(control_plane: ControlPlane) -> None:
    control_plane.children = ignore
    async with running(control_plane, capacity=2):
        await control_plane.assign("a", "parent", 7)
        await control_plane.expect("waiting", attempt="a", waiting=True)
        await finish_child(control_plane, "a", "first", status="succeeded", result="[1]", error=None)
        await control_plane.expect("waiting", attempt="a", waiting=False)
        await control_plane.outcome("a")


async def test_a_waiting_parent_leaves_its_place_to_the_child(control_plane: ControlPlane) -> None:
    control_plane.children = ignore
    async with running(control_plane, capacity=1):
        await control_plane.assign("parent", "parent", 7)
        await control_plane.expect("waiting", attempt="parent", waiting=True)
        await control_plane.assign("child", "noop")
        await control_plane.outcome("child")
        await finish_child(control_plane, "parent", "first", status="succeeded", result="[1]", error=None)
        await control_plane.outcome("parent")


async def test_polling_keeps_the_wait_open_and_children_can_be_canceled(control_plane: ControlPlane) -> None:
    control_plane.children = ignore
    async with running(control_plane, capacity=1):
        await control_plane.assign("a", "polls")
        outcome = await control_plane.outcome("a")
    assert json.loads(outcome["result"]) == [[{"still_running": True}] * 3]
    waits = [message["waiting"] for message in control_plane.messages if message["type"] == "waiting"]
    assert waits == [True]
    spawn = await control_plane.expect("spawn")
    await control_plane.expect("cancel_child", attempt="a", run=f"trn-child-{spawn['call']}")


async def test_nonsense_is_refused_with_the_right_status(control_plane: ControlPlane) -> None:
    async with running(control_plane):
        await control_plane.assign("a", "asks_nonsense")
        outcome = await control_plane.outcome("a")
    assert json.loads(outcome["result"]) == [[404, 400, 400, 404, 413]]


async def finish_child(control_plane: ControlPlane, attempt: str, call: str, **fields: Any) -> None:
    await asyncio.sleep(0.05)
    await control_plane.send("child_finished", attempt=attempt, run=f"trn-child-{call}", **fields)


def ignore(_message: dict[str, Any]) -> None:
    """Leave children unfinished."""
