"""The runner's conversation with the control plane: introduced by hello, resumed after every loss.

What has to arrive is kept until it is acknowledged and sent again, in order, on the next connection.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from typing import Any, Protocol

import orjson

from skerry_runner.events import log
from skerry_runner.links import Link, Refused
from skerry_runner.messages import PROTOCOL, Limits
from skerry_runner.settings import Settings

_WELCOME_SECONDS = 10.0
_FIRST_BACKOFF_SECONDS = 0.1
# A token that is refused this long will not be accepted later: a runner without work leaves.
_REFUSED_SECONDS = 60.0
# The control plane's close code for a token it does not know.
_UNAUTHORIZED = 4401
_KEPT_LOG_BYTES = 16 * 1024 * 1024
_POSTED_MESSAGES = 1000


class Agent(Protocol):
    """Who acts on what the control plane says."""

    def receive(self, message: dict[str, Any]) -> None:
        """Act on a message."""

    def acknowledged(self, attempt: str, seq: int) -> None:
        """A kept message is committed."""

    def resuming(self) -> list[dict[str, str]]:
        """Attempts that go on, as `{attempt, token}`."""

    def connected(self) -> None:
        """The conversation goes on: say again what is said only once."""


class Unauthorized(PermissionError):
    """The control plane has refused this runner's token for too long."""


def longest_pause(failures: int, heartbeat_seconds: float) -> float:
    """Seconds that a runner waits at most before it connects again, after so many failures in a row.

    Never longer than a heartbeat: a control plane that was away gives runners up one lease, three heartbeats, after its return.
    """
    return min(heartbeat_seconds, _FIRST_BACKOFF_SECONDS * 2.0 ** min(failures, 10))


class Session:
    """The conversation, across connections."""

    def __init__(self, settings: Settings, limits: Limits) -> None:
        """Prepare, within a running loop; `run` connects."""
        self._settings = settings
        self._limits = limits
        self._agent: Agent | None = None
        self._link: Link | None = None
        self._welcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._talking = False
        self._kept: dict[str, dict[int | str, bytes]] = {}
        self._log_sizes: dict[tuple[str, int | str], int] = {}
        self._log_bytes = 0
        self._posted: deque[bytes] = deque(maxlen=_POSTED_MESSAGES)
        self._heartbeat = 10.0

    # The outbox.

    def keep(self, attempt: str, seq: int | str, message: bytes) -> None:
        """Send a message until it is acknowledged."""
        kept = self._kept.get(attempt)
        if kept is None:
            self._kept[attempt] = {seq: message}
        else:
            kept[seq] = message
        if self._talking:
            self._send(message)

    def keep_logs(self, attempt: str, seq: int, message: bytes) -> bool:
        """As `keep`, unless too many log lines wait for a control plane that is away or slow."""
        size = len(message)
        if self._log_bytes + size > _KEPT_LOG_BYTES:
            return False
        self._log_bytes += size
        self._log_sizes[attempt, seq] = size
        self.keep(attempt, seq, message)
        return True

    def post(self, message: bytes) -> None:
        """Send a message once, on the next connection if there is none now."""
        if not (self._talking and self._send(message)):
            self._posted.append(message)

    def release(self, attempt: str, seq: int | str) -> None:
        """A message needs no further sending."""
        kept = self._kept.get(attempt)
        if kept is None:
            return
        kept.pop(seq, None)
        if self._log_sizes:
            self._log_bytes -= self._log_sizes.pop((attempt, seq), 0)
        if not kept:
            del self._kept[attempt]

    def conclude(self, attempt: str) -> None:
        """The end of an attempt is committed, so only its log lines still matter; a start, say, is part of the end."""
        for seq in [seq for seq in self._kept.get(attempt, ()) if (attempt, seq) not in self._log_sizes]:
            self.release(attempt, seq)

    def forget(self, attempt: str) -> None:
        """Drop everything kept for an attempt."""
        for seq in tuple(self._kept.get(attempt, ())):
            self.release(attempt, seq)

    @property
    def settled(self) -> bool:
        """Whether everything that was to arrive has arrived."""
        return not self._kept

    # The conversation.

    async def run(self, agent: Agent) -> None:
        """Talk until cancelled.

        Raises:
            Unauthorized: The token was refused for a minute and there is nothing left to deliver.
        """
        self._agent = agent
        failures = 0
        refused_since: float | None = None
        while True:
            try:
                await self._converse()
                failures, refused_since = 0, None
            except Refused as error:
                refused_since = refused_since or time.monotonic()
                log.warning("connection_refused", status=error.status, error=str(error))
                if error.status in (401, 403) and time.monotonic() - refused_since > _REFUSED_SECONDS and self.settled:
                    raise Unauthorized("the control plane refuses this runner's token; it is of no use") from error
            except OSError as error:
                log.warning("connection_failed", error=str(error) or type(error).__name__, url=self._settings.url)
            failures += 1
            ceiling = longest_pause(failures, self._heartbeat)
            await asyncio.sleep(random.uniform(ceiling / 4, ceiling))  # noqa: S311 - spreads load, hides nothing

    async def close(self) -> None:
        """Say goodbye."""
        self._talking = False
        if self._link is not None:
            await self._link.close()

    async def _converse(self) -> None:
        url = "ws" + self._settings.url.removeprefix("http").rstrip("/") + "/runner/v1/connect"
        self._welcome = asyncio.get_running_loop().create_future()
        link = self._link = await Link.connect(url, self._settings.current_token(), self._on_text)
        try:
            link.send(self._hello())
            await asyncio.wait(
                [self._welcome, link.closed], timeout=_WELCOME_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if not self._welcome.done():
                log.warning("no_welcome", url=url)
            while self._welcome.done() and not link.closed.done():
                await asyncio.wait([link.closed], timeout=self._heartbeat)
                if time.monotonic() - link.last_heard > 2.5 * self._heartbeat:
                    log.warning("connection_silent", seconds=round(time.monotonic() - link.last_heard, 1))
                    break
                link.ping()
        finally:
            self._talking = False
            link.abort()
        if link.close_code == _UNAUTHORIZED:
            raise Refused(link.close_reason, 401)
        log.info("connection_lost", code=link.close_code, reason=link.close_reason)

    def _hello(self) -> bytes:
        settings = self._settings
        assert self._agent is not None
        hello = {
            "type": "hello",
            "protocol": PROTOCOL,
            "runner": settings.runner,
            "pool": settings.pool,
            "version": settings.version,
            "pod": settings.pod,
            "capacity": settings.capacity,
            "isolation": settings.isolation,
            "pinned_attempt": settings.pinned_attempt,
            "resuming": self._agent.resuming(),
        }
        return orjson.dumps(hello)

    def _on_text(self, text: bytes) -> None:
        message = orjson.loads(text)
        try:
            self._act(message)
        except (KeyError, TypeError, ValueError):
            # One message that is not understood must not end a conversation that other attempts live by.
            log.exception("message_not_understood", type=message.get("type"), attempt=message.get("attempt"))

    def _act(self, message: dict[str, Any]) -> None:
        assert self._agent is not None
        kind = message["type"]
        if kind == "ack":
            self.release(message["attempt"], message["seq"])
            self._agent.acknowledged(message["attempt"], message["seq"])
        elif kind == "welcome":
            self._on_welcome(message)
        else:
            if kind in ("spawned", "spawn_failed"):
                self.release(message["attempt"], message["call"])
            self._agent.receive(message)

    def _on_welcome(self, message: dict[str, Any]) -> None:
        assert self._agent is not None
        self._limits.update(message.get("limits") or {})
        self._heartbeat = float(message.get("heartbeat_seconds") or self._heartbeat)
        self._talking = True
        if not self._welcome.done():
            self._welcome.set_result(None)
        log.info("connected", resuming=len(self._kept))
        for kept in self._kept.values():
            for waiting in kept.values():
                self._send(waiting)
        self._agent.connected()
        posted = tuple(self._posted)
        self._posted.clear()
        for message_once in posted:
            self.post(message_once)

    def _send(self, message: bytes) -> bool:
        assert self._link is not None
        return self._link.send(message)
