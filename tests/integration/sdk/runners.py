"""A runner for tests: the user process's side of the socket protocol, with everything it was told kept for inspection."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def encoded(value: Any) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def decoded(text: str) -> Any:
    raw = base64.b64decode(text)
    return json.loads(raw) if raw else None


Behaviour = Callable[[str, Any], dict[str, Any]]


def succeeding(task: str, arguments: Any) -> dict[str, Any]:
    """Every child returns its first argument times ten."""
    return {"complete": {"output": encoded([arguments[0] * 10])}}


class FakeRunner:
    """Serves one slot socket from a thread of its own."""

    def __init__(self, path: Path, behaviour: Behaviour = succeeding, child_seconds: float = 0.02) -> None:
        self.path = str(path)
        self.behaviour = behaviour
        self.child_seconds = child_seconds
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.answers: dict[str, list[tuple[int, Any]]] = {}
        self.connections = 0
        self.callbacks: list[dict[str, Any]] = []
        self._assignments: asyncio.Queue[dict[str, Any]]
        self._cancellations: asyncio.Queue[str]
        self._children: dict[str, tuple[float, str, Any, float]] = {}
        self._called = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> FakeRunner:
        self._thread.start()
        assert self._ready.wait(5)
        return self

    def __exit__(self, *exception: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(5)

    def assign(self, task: str, arguments: Any, **fields: Any) -> None:
        assignment = {
            "task_name": task,
            "input": encoded(arguments),
            "task_run_id": "trn-1",
            "root_task_run_id": "trn-1",
            "parent_task_run_id": "",
            "attempt": "atm-1",
            "attempt_number": 1,
            "deadline": "2099-01-01T00:00:00.000Z",
            "timeout_seconds": 60,
            "traceparent": None,
            "metadata": {"tenant": "t1"},
            "workflow": "shop",
            **fields,
        }
        self._loop.call_soon_threadsafe(self._assignments.put_nowait, assignment)

    def cancel(self, attempt: str) -> None:
        self._loop.call_soon_threadsafe(self._cancellations.put_nowait, attempt)

    def outcome(self, count: int = 1, seconds: float = 10) -> dict[str, Any]:
        """The latest callback, once `count` have come."""
        with self._called:
            assert self._called.wait_for(lambda: len(self.callbacks) >= count, seconds), f"only {self.callbacks}"
            return self.callbacks[-1]

    def result(self, seconds: float = 10) -> Any:
        outcome = self.outcome(seconds=seconds)
        assert "complete" in outcome, outcome
        return decoded(outcome["complete"]["output"])

    def bodies(self, route: str) -> list[Any]:
        return [body for path, _, body in self.requests if path == route]

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._main())
        self._loop.close()

    async def _main(self) -> None:
        self._stop = asyncio.Event()
        self._assignments = asyncio.Queue()
        self._cancellations = asyncio.Queue()
        server = await asyncio.start_unix_server(self._connection, self.path, limit=64 * 1024 * 1024)
        self._ready.set()
        await self._stop.wait()
        server.close()
        # A connection that is just being accepted becomes one of the tasks below only after some turns of the loop.
        await asyncio.sleep(0.01)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                request, *lines = head.split("\r\n")
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines if line)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                route = request.split(" ")[1].partition("?")[0]
                decoded_body = json.loads(body) if body else None
                self.requests.append((route, headers, decoded_body))
                status, answer = await self._answer(route, decoded_body)
                payload = json.dumps(answer).encode()
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(payload)) + payload)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    async def _answer(self, route: str, body: Any) -> tuple[int, Any]:
        if self.answers.get(route):
            return self.answers[route].pop(0)
        if route == "/input":
            return 200, await self._assignments.get()
        if route == "/callback":
            with self._called:
                self.callbacks.append(body)
                self._called.notify_all()
            return 200, {}
        if route == "/run-subtasks":
            return 200, {"results": [self._spawn(call) for call in body["calls"]]}
        if route == "/get-subtask-results":
            return 200, {"results": await self._finished(body["task_run_ids"], body["wait_seconds"])}
        if route == "/cancellations":
            return 200, {"attempts": [await self._cancellations.get()]}
        return 200, {}

    def _spawn(self, call: dict[str, Any]) -> dict[str, Any]:
        if call["task_name"] == "missing":
            return {"error": {"code": "task_not_found", "message": "there is no task 'missing'", "status": 404}}
        run_id = f"trn-child-{len(self._children)}"
        arguments = decoded(call["input"])
        self._children[run_id] = (time.monotonic() + self.child_seconds, call["task_name"], arguments, 0)
        return {"task_run_id": run_id}

    async def _finished(self, run_ids: list[str], seconds: float) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while True:
            now = time.monotonic()
            done = [run_id for run_id in run_ids if self._children[run_id][0] <= now]
            if done or now >= end:
                return {run_id: self.behaviour(*self._children[run_id][1:3]) for run_id in done}
            await asyncio.sleep(min(self._children[run_id][0] for run_id in run_ids) - now)
