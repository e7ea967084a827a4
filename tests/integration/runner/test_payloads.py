"""Inputs and results too large for the WebSocket."""

from __future__ import annotations

import json

import pytest

from tests.integration.runner.control_planes import ControlPlane, running
from tests.integration.runner.fronts import PayloadFront


@pytest.mark.parametrize("environment", [{}, {"SKERRY_PINNED_ATTEMPT": "a"}], ids=["many", "one"])
async def test_large_input_and_result_travel_over_http(
    control_plane: ControlPlane, environment: dict[str, str]
) -> None:
    front = PayloadFront(control_plane)
    text = "ü" * 400_000
    front.inputs["a"] = json.dumps([text])
    front.refusals = [503, 503]
    port = await front.start()
    async with running(control_plane, "--url", f"http://127.0.0.1:{port}", **environment):
        await control_plane.assign("a", "echo", input=None)
        complete = await control_plane.expect("complete", attempt="a")
    await front.stop()
    assert complete["outcome"] == {"status": "succeeded", "result": None, "error": None, "reason": None}
    assert complete["result_uploaded"] is True
    assert json.loads(front.results["a"]) == [[text]]
    assert front.tokens == {"token-a"}


async def test_result_refused_for_its_size_fails_the_attempt(control_plane: ControlPlane) -> None:
    front = PayloadFront(control_plane)
    front.refusals = [413]
    port = await front.start()
    async with running(control_plane, "--url", f"http://127.0.0.1:{port}"):
        await control_plane.assign("a", "returns_bytes", 300_000)
        outcome = await control_plane.outcome("a")
    await front.stop()
    assert outcome["reason"] == "payload_too_large"


async def test_result_of_a_superseded_attempt_is_dropped(control_plane: ControlPlane) -> None:
    front = PayloadFront(control_plane)
    front.refusals = [409]
    port = await front.start()
    async with running(control_plane, "--url", f"http://127.0.0.1:{port}") as runner:
        await control_plane.assign("a", "returns_bytes", 300_000)
        await control_plane.assign("b", "noop")
        await control_plane.outcome("b")
        await control_plane.send("exit")
        assert await runner.leave() == 0
    await front.stop()
    assert not [m for m in control_plane.messages if m["type"] == "complete" and m["attempt"] == "a"]
