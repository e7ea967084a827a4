"""The REST interface on a real engine, a real PostgreSQL and a real socket, with runners played by the test."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from skerry_api.domain import ids
from skerry_api.domain.states import Reason
from skerry_api.engine.completions import Outcome
from skerry_api.engine.engines import Engine
from skerry_api.engine.settings import EngineSettings
from skerry_api.http.installations import install
from skerry_api.storage.assignments import Assignment
from skerry_api.storage.databases import Database

TASKS: list[dict[str, Any]] = [
    {"name": "add", "parameters": [{"name": "a", "type": "int"}, {"name": "b", "type": "int"}], "description": "Add."},
    {"name": "echo", "options": {"retry": {"max_retries": 0, "wait_duration_ms": 0, "factor": 1}, "plan": "starter"}},
]


@dataclass
class Claiming:
    """A runner that is played by the test."""

    runner_id: str
    pod_name: str | None = None
    node: str | None = None
    adopts: bool = False


class Server:
    """A served application and what a test does behind its back."""

    def __init__(self, app: FastAPI, engine: Engine, client: httpx.AsyncClient) -> None:
        self.app = app
        self.engine = engine
        self.client = client
        self.version_id = ""
        self.workflow_id = ""

    async def register(self, slug: str = "shop", tasks: list[dict[str, Any]] = TASKS) -> None:
        """Make a workflow with one ready version."""
        workflow = await self.engine.registry.create_workflow(slug)
        version_id = await self.engine.registry.create_version(workflow["id"])
        await self.engine.registry.finish_registration(workflow["id"], version_id, tasks, None)
        self.workflow_id, self.version_id = workflow["id"], version_id

    async def trigger(self, task: str = "shop/echo", input: Any = (), **fields: Any) -> dict[str, Any]:
        """Start a run; answers it."""
        response = await self.client.post("/v1/task-runs", json={"task": task, "input": list(input), **fields})
        assert response.status_code == 202, response.text
        run: dict[str, Any] = response.json()
        return run

    async def claim(self) -> Assignment:
        """Take the next queued attempt, as a runner does."""
        async with asyncio.timeout(5):
            while True:
                claimed = await self.engine.writer.claim(
                    self.version_id,
                    self.workflow_id,
                    [Claiming("rnr-test")],
                    None,
                    {},
                    start_ms=60_000,
                    inline_bytes=10**6,
                )
                if claimed:
                    return claimed[0]
                await asyncio.sleep(0.01)

    async def finish(
        self,
        assignment: Assignment,
        result: str | None = None,
        reason: Reason | None = None,
        error: Mapping[str, Any] | None = None,
    ) -> None:
        """End an attempt, as a runner does."""
        outcome = Outcome(reason, result, error, usage={"cpu_seconds": 0.25, "max_rss_bytes": 1_000_000})
        assert await self.engine.completions.settle(assignment, outcome, spawned=True)

    async def run_to_end(self, result: str = "[1]", **fields: Any) -> dict[str, Any]:
        """Trigger a run and let it succeed; answers its details."""
        run = await self.trigger(**fields)
        await self.finish(await self.claim(), result)
        details: dict[str, Any] = (await self.client.get(f"/v1/task-runs/{run['id']}")).json()
        return details

    async def log(self, assignment: Assignment, *lines: str, seq: int = 1, stream: str = "stdout") -> None:
        """Store log lines of an attempt."""
        entries = [{"time": "2026-11-22T21:04:05.678Z", "stream": stream, "line": line} for line in lines]
        await self.engine.store_logs(assignment, seq, entries)


@asynccontextmanager
async def served(database_url: str, **settings: Any) -> AsyncIterator[Server]:
    """A server on a free port of this machine."""
    engine = Engine(EngineSettings(ids.new_id("cpl"), **{"require_keys": False, **settings}), Database(database_url))
    app = FastAPI(title="Skerry")
    app.state.engine = engine
    install(app)
    await engine.start()
    # The protocol must be named, or asyncio leaves Nagle's algorithm on and every reply takes 40 ms.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    config = uvicorn.Config(app, log_config=None, lifespan="off", ws="websockets-sansio", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listening]))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        async with httpx.AsyncClient(base_url=url, timeout=20) as client, asyncio.timeout(100):
            yield Server(app, engine, client)
    finally:
        app.state.streams.close()
        server.should_exit = True
        await serving
        await engine.stop()
        listening.close()
