"""A control plane whose runners are played by the test, over a real WebSocket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
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

    async def logged(self, run_id: str) -> list[str]:
        answer = await self.http.get(f"/v1/task-runs/{run_id}/logs")
        return [line["message"] for line in answer.raise_for_status().json()["logs"]]


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


async def log(connection: websockets.ClientConnection, assigned: dict[str, Any], seq: int, *lines: str) -> None:
    entries = [{"time": "2026-01-01T00:00:01.000Z", "stream": "stdout", "line": line} for line in lines]
    speaker = {"attempt": assigned["attempt"], "token": assigned["token"]}
    await say(connection, type="logs", seq=seq, entries=entries, **speaker)


def ack(assigned: dict[str, Any], seq: int) -> dict[str, Any]:
    return {"type": "ack", "attempt": assigned["attempt"], "seq": seq}


@asynccontextmanager
async def served(database_url: str) -> AsyncIterator[Gateway]:
    """A gateway on a free port of this machine."""
    app = create_app(EngineSettings("test", require_keys=False), database_url)
    listening = bind("127.0.0.1", 0)
    config = uvicorn.Config(app, log_level="warning", ws="websockets-sansio", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve(sockets=[listening]))
    while not server.started:
        await asyncio.sleep(0.01)
    gateway = Gateway(app, listening.getsockname()[1])
    await gateway.open()
    try:
        yield gateway
    finally:
        await gateway.http.aclose()
        server.should_exit = True
        await serving
