"""A very small user side of the socket protocol, standard library only."""

from __future__ import annotations

import base64
import json
import os
import socket
from typing import Any


class Runner:
    """Requests to the runner, over one connection that is kept alive."""

    def __init__(self, path: str | None = None, attempt: str | None = None) -> None:
        self._path = path or os.environ["SKERRY_SDK_SOCKET_PATH"]
        self._attempt = attempt
        self._socket: socket.socket | None = None

    def request(self, method: str, path: str, body: Any = None, *, close: bool = False) -> tuple[int, Any]:
        connection = self.send(method, path, body, close=close)
        received = b""
        while b"\r\n\r\n" not in received:
            chunk = connection.recv(1 << 20)
            if not chunk:
                raise ConnectionResetError("the runner closed the connection")
            received += chunk
        header, _, rest = received.partition(b"\r\n\r\n")
        lines = header.decode().split("\r\n")
        length = next(int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length"))
        while len(rest) < length:
            rest += connection.recv(1 << 20)
        if close:
            connection.close()
            self._socket = None
        return int(lines[0].split()[1]), json.loads(rest)

    def send(self, method: str, path: str, body: Any = None, *, close: bool = False) -> socket.socket:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.connect(self._path)
        data = b"" if body is None else json.dumps(body).encode()
        tag = f"Skerry-Attempt: {self._attempt}\r\n" if self._attempt else ""
        tag += "Connection: close\r\n" if close else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: runner\r\n{tag}Content-Length: {len(data)}\r\n\r\n"
        self._socket.sendall(head.encode() + data)
        return self._socket

    def input(self) -> dict[str, Any]:
        status, answer = self.request(
            "GET", "/input?sdk_import_started_at=1000000000&sdk_import_finished_at=1500000000"
        )
        assert status == 200, answer
        self.attempt: dict[str, Any] = answer
        return answer

    def succeed(self, value: Any) -> None:
        self.succeed_text(json.dumps([value]))

    def succeed_text(self, text: str) -> None:
        self.request("POST", "/callback", {"complete": {"output": encode(text)}})

    def fail(self, details: str, **more: Any) -> None:
        self.request("POST", "/callback", {"error": {"details": details, **more}})

    def spawn(self, task: str, arguments: Any, **more: Any) -> tuple[int, Any]:
        return self.request("POST", "/run-subtask", {"task_name": task, "input": encode(json.dumps(arguments)), **more})


def encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def decode(text: str) -> Any:
    return json.loads(base64.b64decode(text))
