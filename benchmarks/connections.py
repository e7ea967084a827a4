"""Persistent HTTP/1.1 connections for load generation, on asyncio streams and nothing else.

A general HTTP client costs more processor time per request than the servers measured here; a load generator
that is slower than its server measures itself. This one speaks what JSON APIs need: POST and GET, bodies
with a length or in chunks, keep-alive. It does not follow redirects, decompress or speak TLS.
"""

import asyncio
import json
import time
from typing import Any
from urllib.parse import urlsplit

# uvicorn closes connections after five seconds without a request: one must not be sent at that very moment.
IDLE_SECONDS = 4.0


class UnexpectedAnswerError(Exception):
    """A server answered with another status than the caller accepts."""


class Connections:
    """As many connections to one server as requests were ever under way at once, reused newest first."""

    def __init__(self, url: str, headers: dict[str, str] | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname is None:
            raise ValueError(f"Expected an http:// address, got {url!r}.")
        self._host, self._port = parts.hostname, parts.port or 80
        lines = {"Host": parts.netloc, "Accept": "application/json", **(headers or {})}
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter, float]] = []

    async def get(self, path: str) -> Any:
        """Read one resource.

        Raises:
            UnexpectedAnswerError: The status was not in the 200s.
        """
        return await self._send(f"GET {path} HTTP/1.1\r\n{self._headers}\r\n".encode())

    async def post(self, path: str, body: Any) -> Any:
        """Send JSON and read the JSON answer.

        Raises:
            UnexpectedAnswerError: The status was not in the 200s.
        """
        text = json.dumps(body, separators=(",", ":")).encode()
        head = (
            f"POST {path} HTTP/1.1\r\n{self._headers}"
            f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
        )
        return await self._send(head.encode() + text)

    async def close(self) -> None:
        """Close the idle connections."""
        for _, writer, _ in self._idle:
            writer.close()
        self._idle.clear()

    async def _send(self, request: bytes) -> Any:
        reader, writer = await self._connection()
        writer.write(request)
        status, keep, body = await _answer(reader)
        if keep:
            self._idle.append((reader, writer, time.monotonic()))
        else:
            writer.close()
        if not 200 <= status < 300:
            raise UnexpectedAnswerError(f"The server answered {status}: {body[:500].decode(errors='replace')}")
        return json.loads(body) if body else None

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer, since = self._idle.pop()
            if not reader.at_eof() and time.monotonic() - since < IDLE_SECONDS:
                return reader, writer
            writer.close()
        return await asyncio.open_connection(self._host, self._port)


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool, bytes]:
    """Read one response: its status, whether the connection can be reused, its body."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head[9:12])
    keep = b"\r\nconnection: close" not in head
    length = head.find(b"\r\ncontent-length:")
    if length >= 0:
        return status, keep, await reader.readexactly(int(head[length + 17 : head.index(b"\r\n", length + 2)]))
    if b"\r\ntransfer-encoding: chunked" not in head:
        return status, keep, b""
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return status, keep, body
