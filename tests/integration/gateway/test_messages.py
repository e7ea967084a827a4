"""What a runner may say: malformed messages cost it its connection, and harm nobody else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn
import websockets
from fastapi import FastAPI

from skerry_api.app import create_app
from skerry_api.engine.engines import Engine
from skerry_api.engine.settings import EngineSettings
from skerry_api.servers import bind

TASKS = [{"name": "echo", "options": {"retry": {"max_retries": 0, "wait_duration_ms": 0, "factor": 1}}}]


class Gateway:
    """A served application, with a workflow whose runners are the test's own."""

    def __init__(self, app: FastAPI, port: int) -> None:
        self.engine: Engine = app.state.engine
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=15)
        self.url = f"ws://127.0.0.1:{port}/runner/v1/connect"

    async def open(self) -> None:
        registry = self.engine.registry
        self.workflow = (await registry.create_workflow("gate"))["id"]
        self.version = await registry.create_version(self.workflow)
        await registry.finish_registration(self.workflow, self.version, TASKS, None)

    async def token(self) -> str:
        return (await self.engine.admit_runner(self.version, self.workflow, "process"))[1]

    @asynccontextmanager
    async def runner(self, token: str | None = None) -> AsyncIterator[websockets.ClientConnection]:
        headers = {"Authorization": f"Bearer {token or await self.token()}"}
        async with websockets.connect(self.url, additional_headers=headers, compression=None) as connection:
            yield connection

    async def greeted(self, connection: websockets.ClientConnection, **more: Any) -> dict[str, Any]:
        await say(connection, type="hello", protocol=1, capacity=1, **more)
        return await hear(connection)

    async def trigger(self) -> str:
        answer = await self.http.post("/v1/task-runs", json={"task": "gate/echo", "input": [1]})
        run_id: str = answer.raise_for_status().json()["id"]
        return run_id

    async def finished(self, run_id: str) -> dict[str, Any]:
        answer = await self.http.get(f"/v1/task-runs/{run_id}", params={"wait": 10})
        run: dict[str, Any] = answer.raise_for_status().json()
        return run


async def say(connection: websockets.ClientConnection, **message: Any) -> None:
    await connection.send(json.dumps(message))


async def hear(connection: websockets.ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await asyncio.wait_for(connection.recv(), 10))
    return message


async def complete(connection: websockets.ClientConnection, assigned: dict[str, Any], **changes: Any) -> None:
    message = {
        "type": "complete",
        "attempt": assigned["attempt"],
        "token": assigned["token"],
        "seq": 1,
        "started_at": "2026-01-01T00:00:00.000Z",
        "outcome": {"status": "succeeded", "result": "[2]", "error": None, "reason": None},
        "usage": {},
        "timings": {},
    }
    await say(connection, **{**message, **changes})


@pytest.fixture
async def gateway(database_url: str) -> AsyncIterator[Gateway]:
    app = create_app(EngineSettings("test", require_keys=False), database_url)
    listening = bind("127.0.0.1", 0)
    config = uvicorn.Config(app, log_level="warning", ws="websockets-sansio", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve(sockets=[listening]))
    while not server.started:
        await asyncio.sleep(0.01)
    gateway = Gateway(app, listening.getsockname()[1])
    await gateway.open()
    yield gateway
    await gateway.http.aclose()
    server.should_exit = True
    await serving


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
