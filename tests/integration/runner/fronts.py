"""The payload routes in front of a test's control plane, which itself speaks WebSocket only."""

from __future__ import annotations

import asyncio

from tests.integration.runner.control_planes import ControlPlane


class PayloadFront:
    """A server that takes `GET …/input` and `PUT …/result` itself and passes on everything else."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self.inputs: dict[str, str] = {}
        self.results: dict[str, str] = {}
        self.refusals: list[int] = []
        self.tokens: set[str] = set()
        self._behind = control_plane.port
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, path, _ = head.decode().split(" ", 2)
        if "/attempts/" not in path:
            await self._pass_on(head, reader, writer)
            return
        lines = [line.partition(": ") for line in head.decode().split("\r\n")[1:]]
        headers = {name.lower(): value for name, _, value in lines}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.tokens.add(headers["skerry-attempt-token"])
        *_, attempt, _ = path.split("/")
        status, answer = (self.refusals.pop(0), "") if self.refusals else (200, self.inputs.get(attempt, ""))
        if status == 200 and method == "PUT":
            self.results[attempt] = body.decode()
        data = answer.encode()
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(data)) + data)
        await writer.drain()
        writer.close()

    async def _pass_on(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", self._behind)
        behind_writer.write(head)
        await asyncio.gather(copy(reader, behind_writer), copy(behind_reader, writer))


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()
