"""What a runner may say: malformed messages cost it its connection, and harm nobody else."""

from __future__ import annotations

import json
from typing import Any

import pytest
import websockets

from tests.integration.gateway.gateways import Gateway, complete, hear


async def test_a_runner_with_an_unknown_token_is_turned_away(gateway: Gateway) -> None:
    async with gateway.runner("nonsense") as connection:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await hear(connection)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


@pytest.mark.parametrize(
    "frame",
    [
        "not json",
        "[]",
        '{"type": "nonsense"}',
        '{"no": "type"}',
        '{"type": "complete"}',
        '{"type": "logs", "attempt": []}',
    ],
)
async def test_a_malformed_frame_ends_only_its_own_connection(gateway: Gateway, frame: str) -> None:
    async with gateway.runner() as good:
        await gateway.greeted(good)
        run_id = await gateway.trigger()
        assigned = await hear(good)
        async with gateway.runner() as bad:
            await gateway.greeted(bad)
            await bad.send(frame)
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await hear(bad)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
        await complete(good, assigned)
        assert (await hear(good))["type"] == "ack"
        assert (await gateway.finished(run_id))["results"] == [2]


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": {"status": "succeeded", "result": 7}},
        {"outcome": {"status": "succeeded", "result": "[NaN"}},
        {"outcome": {"status": "failed", "reason": "nonsense"}},
        {"outcome": None},
        {"seq": None},
        {"started_at": "yesterday"},
        {"usage": 3},
        {"outcome": {"status": "failed", "reason": "error", "error": "text"}},
    ],
)
async def test_a_malformed_completion_leaves_the_attempt_as_it_was(gateway: Gateway, changes: dict[str, Any]) -> None:
    token = await gateway.token()
    async with gateway.runner(token) as connection:
        await gateway.greeted(connection)
        run_id = await gateway.trigger()
        assigned = await hear(connection)
        await complete(connection, assigned, **changes)
        with pytest.raises(websockets.ConnectionClosed):
            await hear(connection)
    assert (await gateway.http.get(f"/v1/task-runs/{run_id}")).json()["status"] == "pending"
    async with gateway.runner(token) as connection:
        resuming = [{"attempt": assigned["attempt"], "token": assigned["token"]}]
        assert (await gateway.greeted(connection, resuming=resuming))["type"] == "welcome"
        await complete(connection, assigned)
        assert (await hear(connection))["type"] == "ack"
    assert (await gateway.finished(run_id))["results"] == [2]


async def test_a_completion_sent_twice_is_acknowledged_twice_and_counts_once(gateway: Gateway) -> None:
    async with gateway.runner() as connection:
        await gateway.greeted(connection)
        run_id = await gateway.trigger()
        assigned = await hear(connection)
        await complete(connection, assigned)
        assert await hear(connection) == {"type": "ack", "attempt": assigned["attempt"], "seq": 1}
        other = {"status": "succeeded", "result": "[3]", "error": None, "reason": None}
        await complete(connection, assigned, outcome=other)
        assert await hear(connection) == {"type": "ack", "attempt": assigned["attempt"], "seq": 1}
    assert (await gateway.finished(run_id))["results"] == [2]


async def test_another_token_changes_nothing(gateway: Gateway) -> None:
    async with gateway.runner() as owner, gateway.runner() as thief:
        await gateway.greeted(owner)
        run_id = await gateway.trigger()
        assigned = await hear(owner)
        await gateway.greeted(thief)
        await complete(thief, {**assigned, "token": "0" * 32})
        refusal = await hear(thief)
        assert (refusal["type"], refusal["reason"], refusal["code"]) == ("cancel", "superseded", "attempt_superseded")
        await complete(owner, assigned)
        assert (await gateway.finished(run_id))["results"] == [2]


async def test_an_assignment_lost_with_the_connection_is_given_again(gateway: Gateway) -> None:
    token = await gateway.token()
    async with gateway.runner(token) as connection:
        await gateway.greeted(connection)
        run_id = await gateway.trigger()
        first = await hear(connection)
    async with gateway.runner(token) as connection:
        await gateway.greeted(connection)
        again = await hear(connection)
        assert (again["attempt"], again["token"]) == (first["attempt"], first["token"])
        await complete(connection, again)
        assert (await gateway.finished(run_id))["results"] == [2]


async def test_large_payloads_travel_by_http_with_the_attempts_token(gateway: Gateway) -> None:
    token = await gateway.token()
    text = "x" * 400_000
    async with gateway.runner(token) as connection:
        await gateway.greeted(connection)
        answer = await gateway.http.post("/v1/task-runs", json={"task": "gate/echo", "input": [text]})
        run_id = answer.raise_for_status().json()["id"]
        assigned = await hear(connection)
        assert assigned["input"] is None
        path = f"/runner/v1/attempts/{assigned['attempt']}"
        headers = {"Authorization": f"Bearer {token}", "Skerry-Attempt-Token": assigned["token"]}
        assert (await gateway.http.get(f"{path}/input", headers=headers)).json() == [text]
        wrong = {**headers, "Skerry-Attempt-Token": "0" * 32}
        assert (await gateway.http.get(f"{path}/input", headers=wrong)).status_code == 409
        refused = await gateway.http.put(f"{path}/result", content=b"[1", headers=headers)
        assert refused.status_code == 422
        body = json.dumps([text]).encode()
        assert (await gateway.http.put(f"{path}/result", content=body, headers=headers)).status_code == 204
        outcome = {"status": "succeeded", "result": None, "error": None, "reason": None}
        await complete(connection, assigned, outcome=outcome, result_uploaded=True)
        assert (await hear(connection))["type"] == "ack"
    assert (await gateway.finished(run_id))["results"] == [text]
