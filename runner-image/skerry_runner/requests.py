"""HTTP/1.1 on a slot's Unix socket: just what the SDKs speak, with as little work per request as possible."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import parse_qsl

import httptools
import orjson

# Bodies above this are counted, not kept: enough for a result of the default limit in base64 several times over.
KEEP_BODY_BYTES = 64 * 1024 * 1024

_REASONS = {200: b"OK", 400: b"Bad Request", 404: b"Not Found", 405: b"Method Not Allowed", 409: b"Conflict"}
_REASONS |= {413: b"Payload Too Large", 422: b"Unprocessable Entity", 429: b"Too Many Requests"}
_REASONS |= {500: b"Internal Server Error", 503: b"Service Unavailable"}

EMPTY = b"{}"


class Exchange:
    """One request and, once, its answer; an answer may come long after the request."""

    __slots__ = ("_connection", "attempt", "body", "body_bytes", "method", "on_abandoned", "path", "query")

    def __init__(self, connection: Connection) -> None:
        """Begin a request on `connection`."""
        self._connection: Connection | None = connection
        self.method = b""
        self.path = b""
        self.query = b""
        self.attempt = ""
        self.body: bytes | None = b""
        self.body_bytes = 0
        self.on_abandoned: Callable[[], None] | None = None

    @property
    def parameters(self) -> dict[str, str]:
        """The query's parameters."""
        return dict(parse_qsl(self.query.decode("ascii", "replace")))

    def answer(self, status: int, body: bytes, unheard_seconds: float = 0.0) -> None:
        """Answer with JSON; without effect when the other side has gone or was answered already.

        What the other side sends then is not read for `unheard_seconds`.
        """
        connection, self._connection = self._connection, None
        self.on_abandoned = None
        if connection is not None:
            connection.write_answer(status, body)
            if unheard_seconds:
                connection.pause(unheard_seconds)

    def answer_json(self, value: Any, unheard_seconds: float = 0.0) -> None:
        """Answer with `value` encoded."""
        self.answer(200, orjson.dumps(value), unheard_seconds)

    def refuse(self, status: int, code: str, message: str) -> None:
        """Answer with an error."""
        self.answer(status, orjson.dumps({"message": message, "code": code}))

    def abandon(self) -> None:
        """The other side has gone."""
        self._connection = None
        callback, self.on_abandoned = self.on_abandoned, None
        if callback is not None:
            callback()


class Connection(asyncio.Protocol):
    """One connection of a user process: requests one after the other, kept alive when the client wants it."""

    __slots__ = (
        "_body",
        "_connections",
        "_exchange",
        "_handle",
        "_keep_alive",
        "_parser",
        "_pending",
        "_transport",
        "_url",
    )

    def __init__(self, handle: Callable[[Exchange], None], connections: set[Connection]) -> None:
        """Pass complete requests to `handle`; be a member of `connections` while open."""
        self._handle = handle
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._exchange = Exchange(self)
        self._pending: Exchange | None = None
        self._url = b""
        self._body: list[bytes] = []
        self._keep_alive = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever was about to answer that nobody listens any more."""
        self._transport = None
        self._connections.discard(self)
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.abandon()

    def data_received(self, data: bytes) -> None:
        """Parse; complete requests are handled from within."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(f"not a valid HTTP/1.1 request: {error}")

    def write_answer(self, status: int, body: bytes) -> None:
        """Write the answer to the pending request."""
        self._pending = None
        if self._transport is None:
            return
        tail = b"\r\n\r\n" if self._keep_alive else b"\r\nconnection: close\r\n\r\n"
        head = b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncontent-length: %d" % (
            status,
            _REASONS.get(status, b"Error"),
            len(body),
        )
        self._transport.write(head + tail + body)
        if not self._keep_alive:
            self._transport.close()

    def pause(self, seconds: float) -> None:
        """Read nothing for so long; what comes meanwhile is there afterwards."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
            asyncio.get_running_loop().call_later(seconds, self._resume)

    def _resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        """End the connection without further words."""
        if self._transport is not None:
            self._transport.abort()

    def _fail(self, message: str) -> None:
        self._keep_alive = False
        self.write_answer(400, orjson.dumps({"message": message, "code": "bad_request"}))

    # httptools calls what follows while it parses.

    def on_message_begin(self) -> None:
        """A request begins."""
        self._exchange = Exchange(self)
        self._url = b""
        self._body.clear()

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header: only one matters here, httptools looks after `connection` and the body's length."""
        if len(name) == 14 and name.lower() == b"skerry-attempt":
            self._exchange.attempt = value.decode("ascii", "replace")

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        exchange = self._exchange
        exchange.body_bytes += len(body)
        if exchange.body_bytes <= KEEP_BODY_BYTES:
            self._body.append(body)
        elif exchange.body is not None:
            exchange.body = None
            self._body.clear()

    def on_message_complete(self) -> None:
        """The request is complete."""
        if self._pending is not None:
            self._pending.abandon()
            self._fail("send the next request after the answer to the last one, or on another connection")
            return
        exchange = self._pending = self._exchange
        exchange.method = self._parser.get_method()
        exchange.path, _, exchange.query = self._url.partition(b"?")
        if exchange.body is not None:
            exchange.body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._keep_alive = self._parser.should_keep_alive()
        self._handle(exchange)
