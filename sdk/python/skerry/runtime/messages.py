"""HTTP/1.1 as two ends of one Unix socket need it, without any I/O: requests to bytes, bytes to responses.

The standard library's client costs more than a whole no-op run; the runner is ours and always answers with a Content-Length.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from skerry.errors import ConnectionFailed, error_for_status

# As patient as the Render SDK: 0.25 s, doubling to 16 s, for about five minutes.
_FIRST_DELAY_SECONDS = 0.25
_LONGEST_DELAY_SECONDS = 16.0
_PATIENCE_SECONDS = 300.0

_decode = json.JSONDecoder().raw_decode


def request_bytes(method: str, path: str, body: bytes = b"", attempt: str | None = None) -> bytes:
    """A request; `attempt` says whose it is in a process that serves several."""
    tag = f"skerry-attempt: {attempt}\r\n" if attempt else ""
    if method == "GET":
        return f"GET {path} HTTP/1.1\r\nHost: runner\r\n{tag}\r\n".encode()
    length = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{method} {path} HTTP/1.1\r\nHost: runner\r\n{tag}{length}\r\n".encode() + body


def json_bytes(value: Any) -> bytes:
    """A JSON body."""
    return json.dumps(value, separators=(",", ":")).encode()


def from_json(data: bytes) -> Any:
    """The value of JSON that begins with its first byte: half the work of `json.loads`.

    Raises:
        ValueError: it is not JSON.
    """
    return _decode(str(data, "utf-8"))[0]


def retry_delays() -> Iterator[float]:
    """Seconds to wait before each further try of a request that got no answer, or 429 or 5xx."""
    delay, spent = _FIRST_DELAY_SECONDS, 0.0
    while spent < _PATIENCE_SECONDS:
        yield delay
        spent += delay
        delay = min(delay * 2, _LONGEST_DELAY_SECONDS)


class Response:
    """A complete response."""

    __slots__ = ("body", "keeps_alive", "status")

    def __init__(self, status: int, body: bytes, keeps_alive: bool) -> None:
        """Hold what came."""
        self.status = status
        self.body = body
        self.keeps_alive = keeps_alive

    @property
    def may_be_retried(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status == 429 or self.status >= 500

    def json(self) -> Any:
        """The decoded body, {} if it is empty.

        Raises:
            ApiError: the status is not 2xx.
        """
        value = from_json(self.body) if self.body else {}
        if not 200 <= self.status < 300:
            raise error_for_status(self.status, value)
        return value


class ResponseReader:
    """Collects bytes until they are a response."""

    __slots__ = ("_buffer", "_end", "_keeps_alive", "_start", "_status")

    def __init__(self) -> None:
        """Start with nothing."""
        self._buffer = bytearray()
        self._status = self._start = self._end = 0
        self._keeps_alive = True

    def feed(self, data: bytes) -> Response | None:
        """Add `data`; the response once it is complete.

        Raises:
            ConnectionFailed: this is not HTTP as the runner speaks it.
        """
        self._buffer += data
        if not self._status and not self._read_head():
            return None
        if len(self._buffer) < self._end:
            return None
        response = Response(self._status, bytes(self._buffer[self._start : self._end]), self._keeps_alive)
        del self._buffer[: self._end]
        self._status = 0
        return response

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self._buffer[:end]).lower()
        try:
            self._status = int(head[9:12])
            self._start = end + 4
            self._end = self._start + int(_header(head, b"content-length") or 0)
        except ValueError:
            raise ConnectionFailed(f"the runner's answer is not HTTP: {head[:80]!r}") from None
        if _header(head, b"transfer-encoding"):
            raise ConnectionFailed("the runner's answer is chunked; a Content-Length is expected")
        self._keeps_alive = _header(head, b"connection") != b"close"
        return True


def _header(head: bytes, name: bytes) -> bytes:
    start = head.find(b"\r\n" + name + b":")
    if start < 0:
        return b""
    start += len(name) + 3
    end = head.find(b"\r\n", start)
    return head[start : end if end >= 0 else len(head)].strip()
