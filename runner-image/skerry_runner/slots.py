"""Slots: the fixed places that user processes occupy, one after another.

A slot owns a listening Unix socket and two output pipes for as long as the runner lives, so that a run creates none of
them. Its `Tenant` is the role of the process that occupies it at the moment: one attempt, a worker, or a registration.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from skerry_runner.logs import Capture
from skerry_runner.messages import Limits, Stream
from skerry_runner.requests import Connection, Exchange

# How long requests that a dead process had already written may take to be read.
_LAST_WORDS_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended.

    Attributes:
        status: As from `os.wait`; None when unknown.
        cpu_seconds: CPU time of the process and what it waited for.
        max_rss_bytes: Its peak resident memory.
        lost: Why it went together with its parent, in words.
    """

    status: int | None
    cpu_seconds: float = 0.0
    max_rss_bytes: int = 0
    lost: str | None = None


class Tenant(Protocol):
    """The role of the process in a slot."""

    def handle(self, exchange: Exchange) -> None:
        """Serve a request of the process."""

    def take_lines(self, stream: Stream, lines: list[bytes]) -> None:
        """Take lines that the process wrote."""

    def expects_more(self) -> bool:
        """Whether requests still unread would change anything."""

    def exited(self, end: Exit) -> None:
        """The process and all it left behind are dead, and all it wrote was delivered."""


class Slot:
    """One place for a user process."""

    def __init__(self, index: int, directory: Path, limits: Limits, release: Callable[[Slot], None]) -> None:
        """Make a slot; `release` is called each time it becomes free."""
        self.index = index
        self.path = str(directory / f"slot-{index}.sock")
        self.pid: int | None = None
        self.tenant: Tenant | None = None
        self.stdout = Capture("stdout", limits, self._deliver)
        self.stderr = Capture("stderr", limits, self._deliver)
        self._release = release
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._signal: signal.Signals | None = None
        self._end: Exit | None = None

    async def open(self) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: Connection(self._handle, self._connections), self.path)
        os.chmod(self.path, 0o600)
        self.stdout.start()
        self.stderr.start()

    def occupy(self, tenant: Tenant) -> None:
        """Give the slot to the process that is about to start."""
        assert self.tenant is None, "a slot has one tenant at a time"
        self.tenant = tenant
        self.pid = self._signal = self._end = None
        self.stdout.prepare()
        self.stderr.prepare()

    def started(self, pid: int) -> None:
        """The process runs; a signal that came too early for it is sent now."""
        self.pid = pid
        if self._signal is not None:
            self.kill(self._signal)

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to the process and its group."""
        if self.pid is None:
            self._signal = number
            return
        if self._end is not None:
            return
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            self._kill_one(self.pid, number)

    def _kill_one(self, pid: int, number: signal.Signals) -> None:
        # Between fork and setsid a process has no group of its own.
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return  # it has ended; its parent is about to say so

    def ended(self, end: Exit) -> None:
        """The process tree is dead: read its last words, then free the slot."""
        self._end = end
        if self._connections and self.tenant is not None and self.tenant.expects_more():
            asyncio.get_running_loop().call_later(_LAST_WORDS_SECONDS, self._leave, end)
        else:
            self._leave(end)

    def drain(self) -> None:
        """Deliver all output written until now."""
        self.stdout.drain()
        self.stderr.drain()

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            self.stdout.close()
            self.stderr.close()
        for connection in tuple(self._connections):
            connection.close()
        Path(self.path).unlink(missing_ok=True)

    def _leave(self, end: Exit) -> None:
        if self._end is not end:
            return
        tenant = self.tenant
        self.drain()
        for connection in tuple(self._connections):
            connection.close()
        self._connections.clear()
        self.tenant = self.pid = self._end = None
        if tenant is not None:
            tenant.exited(end)
        self._release(self)

    def _deliver(self, stream: Stream, lines: list[bytes]) -> None:
        if self.tenant is not None:
            self.tenant.take_lines(stream, lines)

    def _handle(self, exchange: Exchange) -> None:
        if self.tenant is None:
            exchange.refuse(409, "slot_free", "no process is expected on this socket")
        else:
            self.tenant.handle(exchange)
