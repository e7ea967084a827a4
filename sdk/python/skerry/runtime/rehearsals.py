"""The course of an attempt, gone through a few times before any process is forked, and once in a process that waits.

Code writes to memory when it runs for the first times: the interpreter specializes it, fills its caches of methods, resolves
symbols. In a forked process each page that is written to is a page to copy. What is rehearsed was written before the fork;
what is written by every run, such as counts of references, is copied before there is one.
"""

from __future__ import annotations

import binascii
import socket
from typing import Any

from skerry.apps import Workflows
from skerry.contexts import activate_process
from skerry.runtime import attempts
from skerry.runtime.messages import json_bytes, request_bytes
from skerry.runtime.sockets import Connection, SocketClient

# CPython 3.11 specializes a function from its 8th call on, and needs some calls more for all of its parts.
_ROUNDS = 20
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


def rehearse(*, with_loop: bool) -> None:
    """Run attempts of made-up tasks against a made-up runner, also in event loops if `with_loop`."""
    for _ in range(_ROUNDS):
        _rehearse("blocking")
        if with_loop:
            _rehearse("awaited")
    activate_process(None)


def rehearse_once(with_loop: bool) -> None:
    """Run one made-up attempt, in an event loop if `with_loop`."""
    _rehearse("awaited" if with_loop else "blocking")
    activate_process(None)


def _rehearse(task: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        loop = attempts.Loop(is_current=False)
        connection = Connection(ours)
        connection.send(request_bytes("GET", "/input"), None)
        connection.is_answered(0)
        _answer(theirs, _assignment(task))
        assignment = connection.receive().json()
        attempts.perform(_app(theirs), SocketClient("", connection=connection), assignment, loop)
        if loop.made is not None:
            loop.made.close()


def _app(runner: socket.socket) -> Workflows:
    """Tasks that answer the callback of their own attempt before it is sent."""
    app = Workflows()

    @app.task
    def blocking(number: int) -> int:
        _answer(runner, {})
        return number

    @app.task
    async def awaited(number: int) -> int:
        _answer(runner, {})
        return number

    return app


def _answer(runner: socket.socket, value: dict[str, Any]) -> None:
    body = json_bytes(value)
    runner.sendall(_HEAD % len(body) + body)


def _assignment(task: str) -> dict[str, Any]:
    """What a runner answers to `GET /input`."""
    return {
        "task_name": task,
        "input": binascii.b2a_base64(b"[1]", newline=False).decode(),
        "task_run_id": "trn-rehearsal",
        "root_task_run_id": "trn-rehearsal",
        "parent_task_run_id": "",
        "attempt": "trn-rehearsal-1",
        "attempt_number": 1,
        "deadline": "2000-01-01T00:00:00.000Z",
        "timeout_seconds": 60,
        "traceparent": None,
        "metadata": {},
        "plan": "standard",
        "workflow": "rehearsal",
    }
