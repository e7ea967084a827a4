"""A control plane for tests: speaks the runner protocol, remembers everything, commits nothing."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import websockets
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = [sys.executable, "-m", "tests.integration.runner.programs.zygote"]


class ControlPlane:
    """Listens for one runner at a time."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.connections = 0
        self.acknowledge = True
        self.limits: dict[str, int] = {}
        self.port = 0
        self.children: Callable[[dict[str, Any]], None] | None = None
        self._server: Server | None = None
        self._connection: ServerConnection | None = None
        self._changed = asyncio.Condition()

    async def start(self) -> None:
        self._server = await serve(
            self._serve, "127.0.0.1", self.port, compression=None, max_size=None, process_request=self._check
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
        self._connection = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def send(self, type_: str, **fields: Any) -> None:
        await self.connected()
        assert self._connection is not None
        await self._connection.send(json.dumps({"type": type_, **fields}))

    async def assign(self, attempt: str, task: str, *arguments: Any, timeout: float | None = 20, **more: Any) -> None:
        fields = {
            "attempt": attempt,
            "token": f"token-{attempt}",
            "run": f"trn-{attempt}",
            "root": f"trn-{attempt}",
            "parent": None,
            "task": task,
            "input": json.dumps(list(arguments)),
            "attempt_number": 1,
            "deadline": None,
            "timeout_seconds": timeout,
            "traceparent": None,
            "metadata": {"team": "blue"},
            "workflow": "tests",
            "plan": {"name": "standard", "cpu": 1, "memory_bytes": 100 << 20},
        }
        await self.send("assign", **fields | more)

    async def connected(self, seconds: float = 10) -> None:
        await self._until(lambda: self._connection is not None, seconds)

    async def expect(self, type_: str, seconds: float = 10, **fields: Any) -> dict[str, Any]:
        """The first message, past or future, of a type and with these values."""

        def found() -> dict[str, Any] | None:
            wanted = {"type": type_, **fields}
            return next((m for m in self.messages if all(m.get(name) == value for name, value in wanted.items())), None)

        await self._until(lambda: found() is not None, seconds)
        message = found()
        assert message is not None
        return message

    async def outcome(self, attempt: str, seconds: float = 10) -> dict[str, Any]:
        outcome: dict[str, Any] = (await self.expect("complete", seconds, attempt=attempt))["outcome"]
        return outcome

    def lines(self, attempt: str) -> list[tuple[str, str]]:
        logs = [m for m in self.messages if m["type"] == "logs" and m["attempt"] == attempt]
        return [(entry["stream"], entry["line"]) for message in logs for entry in message["entries"]]

    async def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        async with self._changed, asyncio.timeout(seconds):
            await self._changed.wait_for(condition)

    def _check(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.headers.get("Authorization") != "Bearer secret" or request.path != "/runner/v1/connect":
            return Response(401, "Unauthorized", Headers(), b"")
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        try:
            async for text in connection:
                message = json.loads(text)
                if message["type"] == "hello":
                    self.connections += 1
                    welcome = {
                        "type": "welcome",
                        "runner": message["runner"],
                        "heartbeat_seconds": 5,
                        "limits": self.limits,
                    }
                    await connection.send(json.dumps(welcome))
                    self._connection = connection
                await self._react(connection, message)
                async with self._changed:
                    self.messages.append(message)
                    self._changed.notify_all()
        except websockets.ConnectionClosed:
            return
        finally:
            if self._connection is connection:
                self._connection = None

    async def _react(self, connection: ServerConnection, message: dict[str, Any]) -> None:
        if "seq" in message and self.acknowledge:
            ack = {"type": "ack", "attempt": message["attempt"], "seq": message["seq"]}
            await connection.send(json.dumps(ack))
        if message["type"] != "spawn":
            return
        answer = {"attempt": message["attempt"], "call": message["call"]}
        if message["task"] == "refused":
            error = {"code": "task_not_found", "message": "there is no task refused", "status": 404}
            await connection.send(json.dumps({"type": "spawn_failed", **answer, "error": error}))
            return
        run = f"trn-child-{message['call']}"
        await connection.send(json.dumps({"type": "spawned", **answer, "run": run}))
        if self.children is None:
            finished = {
                "attempt": message["attempt"],
                "run": run,
                "status": "succeeded",
                "result": "[42]",
                "error": None,
            }
            await connection.send(json.dumps({"type": "child_finished", **finished}))


class RunnerProcess:
    """A runner under test."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.pid = process.pid

    async def leave(self, seconds: float = 10) -> int:
        async with asyncio.timeout(seconds):
            return await self.process.wait()


@asynccontextmanager
async def running(
    control_plane: ControlPlane,
    *options: str,
    capacity: int = 2,
    command: list[str] | None = None,
    pass_fds: tuple[int, ...] = (),
    **environment: str,
) -> AsyncIterator[RunnerProcess]:
    """A runner for the time of a test; user code is the test program, forked from its zygote."""
    arguments = ["--url", control_plane.url, "--runner", "rnr-1", "--pool", "pool", "--version", "wfv-1"]
    arguments += ["--capacity", str(capacity)]
    if command is None:
        arguments += ["--app", "ignored", *options]
    else:
        arguments += [*options, "--", *command]
    variables = os.environ | {"SKERRY_RUNNER_TOKEN": "secret", "SKERRY_GRACE_SECONDS": "0.5", "PYTHONPATH": str(ROOT)}
    variables |= {
        "SKERRY_PYTHON": str(Path(__file__).with_name("programs") / "python"),
        "SKERRY_TEST_PYTHON": sys.executable,
    }
    variables |= environment
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "skerry_runner",
        *arguments,
        env=variables,
        cwd=ROOT,
        stdout=asyncio.subprocess.DEVNULL,
        pass_fds=pass_fds,
    )
    try:
        yield RunnerProcess(process)
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 8)
            except TimeoutError:
                process.kill()
                await process.wait()


def is_alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


async def until_dead(pid: int, seconds: float = 5) -> None:
    """Wait for a process to end."""
    deadline = time.monotonic() + seconds
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} lives"
        await asyncio.sleep(0.01)
