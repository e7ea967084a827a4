"""A client for the runner's Unix socket in an event loop; formats and reads messages with the code the blocking one uses."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from skerry.errors import ConnectionFailed, RequestTimeout
from skerry.runtime.messages import Response, ResponseReader, request_bytes, retry_delays
from skerry.runtime.sockets import ANSWER_SECONDS


class LoopConnection(asyncio.Protocol):
    """One keep-alive connection: one request at a time."""

    def __init__(self) -> None:
        """Wait for the transport."""
        self._reader = ResponseReader()
        self._answer: asyncio.Future[Response] | None = None
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(cls, loop: asyncio.AbstractEventLoop, path: str) -> LoopConnection:
        """Connect to the socket at `path`.

        Raises:
            OSError: nobody listens there.
        """
        _, connection = await loop.create_unix_connection(cls, path)
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Collect the answer."""
        answer = self._answer
        try:
            response = self._reader.feed(data)
        except ConnectionFailed as error:
            self.connection_lost(error)
            self.close()
            return
        if response is not None and answer is not None and not answer.done():
            answer.set_result(response)

    def connection_lost(self, error: Exception | None) -> None:
        """Fail the request that is under way."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("the runner closed the connection"))
        self._transport = None

    @property
    def is_open(self) -> bool:
        """Whether another request can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def request(self, request: bytes) -> asyncio.Future[Response]:
        """Send a request; the answer comes later."""
        if self._transport is None:
            raise ConnectionResetError("the runner closed the connection")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()


class LoopClient:
    """Requests to the runner at `path` on behalf of `attempt`, each on a connection of its own while it lasts."""

    def __init__(self, loop: asyncio.AbstractEventLoop, path: str, attempt: str | None = None) -> None:
        """Connect when there is something to say."""
        self._loop = loop
        self._path = path
        self._attempt = attempt
        self._idle: list[LoopConnection] = []

    async def request(self, method: str, path: str, body: bytes = b"", *, wait_seconds: float = 0.0) -> Any:
        """The decoded answer; as patient as `SocketClient.request`.

        Raises:
            ApiError: the runner refused.
            ConnectionFailed: it could not be reached for minutes.
        """
        request = request_bytes(method, path, body, self._attempt)
        for delay in retry_delays():
            try:
                response = await self._exchange(request, wait_seconds + ANSWER_SECONDS)
            except OSError as error:
                problem = error
            else:
                if not response.may_be_retried:
                    return response.json()
                problem = OSError(f"status {response.status}")
            await asyncio.sleep(delay)
        kind = RequestTimeout if isinstance(problem, TimeoutError) else ConnectionFailed
        raise kind(f"the runner does not answer {path}: {problem}")

    async def _exchange(self, request: bytes, patience: float) -> Response:
        connection = await self._connection()
        try:
            async with asyncio.timeout(patience):
                response = await connection.request(request)
        except BaseException:
            connection.close()
            raise
        if response.keeps_alive:
            self._idle.append(connection)
        else:
            connection.close()
        return response

    async def _connection(self) -> LoopConnection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        return await LoopConnection.open(self._loop, self._path)

    def close(self) -> None:
        """Hang up all idle connections."""
        while self._idle:
            self._idle.pop().close()
