"""A small HTTP server that answers like Skerry's API: what the command line's tests talk to."""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    body: Any
    key: str | None


Answer = tuple[int, Any]
Handler = Callable[[Request], Answer]


@dataclass
class FakeServer:
    """Answers registered routes; remembers what was asked."""

    routes: list[tuple[str, re.Pattern[str], Handler]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    url: str = ""

    def answer(self, method: str, path: str, body: Any = None, status: int = 200) -> None:
        """Answer a path, which may hold regular expressions, always the same. Later routes win."""
        self.handle(method, path, lambda request: (status, body))

    def handle(self, method: str, path: str, handler: Handler) -> None:
        self.routes.insert(0, (method, re.compile(path), handler))

    def refuse(self, method: str, path: str, status: int, code: str, message: str, **more: Any) -> None:
        self.answer(method, path, {"id": "req-1", "code": code, "message": message, **more}, status)

    def asked(self, method: str, path: str) -> list[Request]:
        return [request for request in self.requests if request.method == method and request.path == path]

    def reply(self, request: Request) -> Answer:
        self.requests.append(request)
        for method, path, handler in self.routes:
            if method == request.method and path.fullmatch(request.path):
                return handler(request)
        return 404, {"id": "req-1", "code": "not_found", "message": f"There is nothing at {request.path}."}


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeServer

    def _respond(self) -> None:
        parts = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(
            self.command,
            parts.path,
            parse_qs(parts.query),
            json.loads(raw) if raw else None,
            self.headers.get("Authorization"),
        )
        status, body = self.fake.reply(request)
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = do_PATCH = _respond

    def log_message(self, format: str, *args: Any) -> None:
        return


class Listener:
    """Serves a FakeServer on a free port of 127.0.0.1 for the length of a `with` block."""

    def __init__(self, fake: FakeServer) -> None:
        handler = type("Exchange", (_Exchange,), {"fake": fake})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        fake.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(timeout=5)
