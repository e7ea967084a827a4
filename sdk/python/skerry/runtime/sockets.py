"""A blocking client for the runner's Unix socket."""

from __future__ import annotations

import select
import socket
import time
from typing import Any

from skerry.errors import ConnectionFailed, RequestTimeout
from skerry.runtime.messages import Response, ResponseReader, request_bytes, retry_delays

# Longer than any answer takes that is not a wait; waits add their own length.
ANSWER_SECONDS = 30.0
# As much as a Unix socket gives at once, and little enough to come from the heap instead of a mapping of its own.
_RECEIVE_BYTES = 65_536


class Connection:
    """One keep-alive connection."""

    __slots__ = ("_reader", "_socket")

    def __init__(self, connected: socket.SocketType) -> None:
        """Speak over a connected socket."""
        self._reader = ResponseReader()
        self._socket = connected

    def send(self, request: bytes, patience: float | None) -> None:
        """Send a request. `patience` is the longest wait for progress, in seconds, here and in `receive`."""
        self._socket.settimeout(patience)
        self._socket.sendall(request)

    def is_answered(self, within_seconds: float) -> bool:
        """Whether an answer, or its beginning, comes in this time."""
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        return bool(waiting.poll(within_seconds * 1000))

    def receive(self) -> Response:
        """Wait for the response.

        Raises:
            OSError: the connection broke, or nothing came in time.
        """
        while True:
            data = self._socket.recv(_RECEIVE_BYTES)
            if not data:
                raise ConnectionResetError("the runner closed the connection")
            response = self._reader.feed(data)
            if response is not None:
                return response

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def connect(path: str) -> Connection:
    """A connection to the socket at `path`.

    Raises:
        OSError: nobody listens there.
    """
    # The C type without its Python wrapper: fewer pages for a forked child to copy.
    connected = socket.SocketType(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connected.connect(path)
    except OSError:
        connected.close()
        raise
    return Connection(connected)


class SocketClient:
    """Requests to the runner at `path` on behalf of `attempt`.

    Threads may share it: a connection serves one request at a time.
    """

    def __init__(self, path: str, attempt: str | None = None, connection: Connection | None = None) -> None:
        """Use `connection` first, if given."""
        self.path = path
        self._attempt = attempt
        # list.append and list.pop are atomic: no lock is needed.
        self._idle = [connection] if connection else []

    def request(self, method: str, path: str, body: bytes = b"", *, wait_seconds: float = 0.0) -> Any:
        """The decoded answer. `wait_seconds` is how long the runner may hold it.

        Tried again for about five minutes when there is no answer, or it is 429 or 5xx: the runner knows repeated
        requests by their keys.

        Raises:
            ApiError: the runner refused.
            ConnectionFailed: it could not be reached in all that time.
        """
        request = request_bytes(method, path, body, self._attempt)
        for delay in retry_delays():
            try:
                response = self._exchange(request, wait_seconds + ANSWER_SECONDS)
            except OSError as error:
                problem = error
            else:
                if not response.may_be_retried:
                    return response.json()
                problem = OSError(f"status {response.status}")
            time.sleep(delay)
        kind = RequestTimeout if isinstance(problem, TimeoutError) else ConnectionFailed
        raise kind(f"the runner does not answer {path}: {problem}")

    def _exchange(self, request: bytes, patience: float) -> Response:
        connection = self._idle.pop() if self._idle else connect(self.path)
        try:
            connection.send(request, patience)
            response = connection.receive()
        except BaseException:
            connection.close()
            raise
        if response.keeps_alive:
            self._idle.append(connection)
        else:
            connection.close()
        return response
