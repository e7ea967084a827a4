"""The WebSocket, on the I/O-free layer of `websockets`: no task and no future per message."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

if TYPE_CHECKING:
    from ssl import SSLContext

OPEN_SECONDS = 10.0
_CLOSE_SECONDS = 1.0


class Refused(ConnectionError):
    """The server answered, but not with a WebSocket; `status` is its HTTP status."""

    def __init__(self, message: str, status: int | None) -> None:
        """Tell what the server said."""
        super().__init__(message)
        self.status = status


class Link(asyncio.Protocol):
    """One WebSocket connection: text frames in both directions."""

    def __init__(self, url: str, token: str, on_text: Callable[[bytes], None]) -> None:
        """Prepare; `connect` makes instances."""
        self.last_heard = time.monotonic()
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # No size limit: the server is trusted, and an input may be as large as it allows.
        self._protocol = ClientProtocol(parse_uri(url), max_size=None)
        self._token = token
        self._on_text = on_text
        self._transport: asyncio.Transport | None = None
        self._fragments: list[bytes] = []

    @classmethod
    async def connect(cls, url: str, token: str, on_text: Callable[[bytes], None]) -> Link:
        """Open a connection.

        Args:
            url: `ws://` or `wss://`.
            token: Bearer token.
            on_text: Called with the payload of each text message.

        Raises:
            OSError: There is no connection, or it broke (`TimeoutError` is one).
            Refused: The server did not accept the WebSocket.
        """
        address = parse_uri(url)
        loop = asyncio.get_running_loop()
        context = _tls() if address.secure else None
        async with asyncio.timeout(OPEN_SECONDS):
            _, link = await loop.create_connection(
                lambda: cls(url, token, on_text), address.host, address.port, ssl=context
            )
            try:
                await link._opened
            except BaseException:
                link.abort()
                raise
        return link

    @property
    def close_code(self) -> int | None:
        """Why the server closed the connection, by RFC 6455 section 7.4; None when it did not say."""
        return self._protocol.close_code

    @property
    def close_reason(self) -> str:
        """The server's words for it."""
        return self._protocol.close_reason or ""

    def send(self, message: bytes) -> bool:
        """Send a text message; False when the connection is closing or gone."""
        if self._protocol.state is not State.OPEN or self.closed.done():
            return False
        self._protocol.send_text(message)
        self._flush()
        return True

    def ping(self) -> None:
        """Send a ping; the answer counts as being heard."""
        if self._protocol.state is State.OPEN and not self.closed.done():
            self._protocol.send_ping(b"")
            self._flush()

    async def close(self) -> None:
        """Say goodbye and wait briefly for the answer."""
        if self._protocol.state is not State.OPEN or self.closed.done():
            self.abort()
            return
        self._protocol.send_close(1000)
        self._flush()
        await asyncio.wait([self.closed], timeout=_CLOSE_SECONDS)
        self.abort()

    def abort(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the handshake."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        request = self._protocol.connect()
        request.headers["Authorization"] = f"Bearer {self._token}"
        self._protocol.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Parse what came, and pass on complete messages."""
        self.last_heard = time.monotonic()
        self._protocol.receive_data(data)
        self._flush()
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._on_frame(event)
            else:
                self._on_response()

    def eof_received(self) -> None:
        """The server has closed."""
        self._protocol.receive_eof()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        if not self._opened.done():
            problem = self._protocol.handshake_exc or exc
            self._opened.set_exception(Refused(str(problem or "closed in the handshake"), None))
        if not self.closed.done():
            self.closed.set_result(None)

    def _on_response(self) -> None:
        error = self._protocol.handshake_exc
        if self._opened.done():
            return
        if error is None:
            self._opened.set_result(None)
        else:
            response = getattr(error, "response", None)
            self._opened.set_exception(Refused(str(error), getattr(response, "status_code", None)))

    def _on_frame(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.CONT):
            if frame.fin and not self._fragments:
                self._on_text(bytes(frame.data))
                return
            self._fragments.append(bytes(frame.data))
            if frame.fin:
                message = b"".join(self._fragments)
                self._fragments.clear()
                self._on_text(message)

    def _flush(self) -> None:
        transport = self._transport
        if transport is None:
            return
        for data in self._protocol.data_to_send():
            if data:
                transport.write(data)
            else:  # the protocol's sign that it will not write again
                transport.close()


def _tls() -> SSLContext:
    import ssl  # takes 7 ms of every start, for those who use it

    return ssl.create_default_context()
