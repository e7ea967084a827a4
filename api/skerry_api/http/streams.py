"""Requests that stay open – waits, event streams, followed logs – and how they end."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

PING_SECONDS = 25.0
SILENT_SECONDS = 1800.0
_RETRY_MS = 2000
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")


class Streams:
    """The requests held open on this process, so that a server that stops can end them all at once."""

    def __init__(self) -> None:
        """Nothing is open."""
        self._open: set[asyncio.Timeout] = set()
        self._closing = False

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[asyncio.Timeout]:
        """A time-out that strikes when the server stops, or when it is given to `end`.

        Raises:
            TimeoutError: it struck.
        """
        async with asyncio.timeout(0 if self._closing else None) as timeout:
            self._open.add(timeout)
            try:
                yield timeout
            finally:
                self._open.discard(timeout)

    def close(self) -> None:
        """End every open request, and each new one as soon as it waits; call it when the server begins to stop."""
        self._closing = True
        for timeout in self._open:
            end(timeout)


def end(timeout: asyncio.Timeout) -> None:
    """Let a time-out strike now, unless it has ended already."""
    if not timeout.expired():
        timeout.reschedule(asyncio.get_running_loop().time())


class EventStream(StreamingResponse):
    """A `text/event-stream` reply that pings while nothing happens and ends with its events, its client or the server."""

    def __init__(self, streams: Streams, events: AsyncGenerator[bytes], silent_seconds: float = SILENT_SECONDS) -> None:
        """Send `events`, each made by `event`; end after `silent_seconds` without one."""
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(events, headers=headers, media_type="text/event-stream")
        self._streams = streams
        self._events = events
        self._silent_seconds = silent_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await _send(send, f"retry: {_RETRY_MS}\n\n".encode())
        try:
            async with self._streams.hold() as timeout:
                watcher = asyncio.create_task(_end_with_client(receive, timeout), name="event stream client")
                try:
                    await self._pump(send)
                finally:
                    watcher.cancel()
        except TimeoutError:
            if not timeout.expired():
                raise
            # The client went away or the server stops: the stream simply ends.
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pump(self, send: Send) -> None:
        silent = 0.0
        upcoming = asyncio.ensure_future(_next(self._events))
        try:
            while silent < self._silent_seconds:
                await asyncio.wait([upcoming], timeout=PING_SECONDS)
                if not upcoming.done():
                    silent += PING_SECONDS
                    await _send(send, b": ping\n\n")
                    continue
                data = upcoming.result()
                if data is None:
                    return
                silent = 0.0
                await _send(send, data)
                upcoming = asyncio.ensure_future(_next(self._events))
        finally:
            upcoming.cancel()
            await asyncio.wait([upcoming], timeout=1)
            await self._events.aclose()


async def _next(events: AsyncGenerator[bytes]) -> bytes | None:
    return await anext(events, None)


async def _send(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})


async def _end_with_client(receive: Receive, timeout: asyncio.Timeout) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
    end(timeout)


def event(name: str, data: bytes, identity: str | None = None) -> bytes:
    """One server-sent event; `data` must be one line."""
    head = f"id: {identity}\n" if identity is not None else ""
    return f"{head}event: {name}\ndata: ".encode() + data + b"\n\n"


def ascii_line(document: bytes) -> bytes:
    """JSON as one line of ASCII.

    Render's clients decode each chunk of a stream on its own and drop what a boundary splits; ASCII cannot be split. Line
    ends occur only between JSON tokens (within strings they are escaped), so spaces may stand for them.
    """
    line = document.replace(b"\r", b" ").replace(b"\n", b" ")
    return line if line.isascii() else _BEYOND_ASCII.sub(_escape, line.decode()).encode()


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
