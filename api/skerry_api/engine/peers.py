"""What control-plane processes on one database tell each other, by NOTIFY.

Notifications are only accelerators: everything they say, a poll finds within a second. They are gathered and sent on a
connection of their own, outside the hot transactions (a NOTIFY in every commit caps Postgres at about 5,000 commits per
second), and not at all while this process is alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import structlog

from skerry_api.domain.errors import Unavailable
from skerry_api.storage.databases import Database
from skerry_api.storage.notifications import Notifications

log = structlog.get_logger(__name__)

CHANNEL = "skerry"
# Postgres refuses payloads of 8,000 bytes; an id has at most 30.
IDS_PER_MESSAGE = 200
RECONNECT_SECONDS = 1.0
# What is told so soon after a message goes with the next: alone it goes at once, and under load a hundred a second are enough.
# Runs wait for what is told of pools: that need not wait for what was told of ends.
GATHER_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class News:
    """What another process tells: pools with new work, runs and attempts that ended, and that workflows changed."""

    pools: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    attempts: tuple[str, ...] = ()
    registry: bool = False
    hello: bool = False


class Peers:
    """The other control-plane processes."""

    def __init__(self, database: Database, replica: str, hear: Callable[[News], None]) -> None:
        """Call `hear` with what others tell."""
        self._notifications = Notifications(database, CHANNEL)
        self._replica = replica
        self._hear = hear
        self._outgoing: dict[str, dict[str, None]] = {"pools": {}, "runs": {}, "attempts": {}}
        self._flags: set[str] = set()
        self._sending: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._is_urgent = asyncio.Event()
        self._told_of_pools = float("-inf")
        self.others = 0

    def start(self) -> None:
        """Begin to listen, and greet, so that the others know they are not alone."""
        self._listening = asyncio.create_task(self._listen(), name="peers")
        self._flags.add("hello")
        self._send_soon()

    def tell(
        self, *, pool: str | None = None, run: str | None = None, attempt: str | None = None, registry: bool = False
    ) -> None:
        """Tell the others, soon; costs nothing when there are none."""
        if not self.others or self._is_stopping:
            return
        for kind, value in (("pools", pool), ("runs", run), ("attempts", attempt)):
            if value is not None:
                self._outgoing[kind][value] = None
        if registry:
            self._flags.add("registry")
        if pool is not None and time.monotonic() - self._told_of_pools > GATHER_SECONDS:
            self._is_urgent.set()
        self._send_soon()

    def _send_soon(self) -> None:
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())

    async def _send(self) -> None:
        try:
            while self._flags or any(self._outgoing.values()):
                payload: dict[str, Any] = {"from": self._replica, **dict.fromkeys(self._flags, True)}
                self._flags.clear()
                for kind, values in self._outgoing.items():
                    payload[kind] = [values.popitem()[0] for _ in range(min(len(values), IDS_PER_MESSAGE // 3))]
                self._is_urgent.clear()
                if payload["pools"]:
                    self._told_of_pools = time.monotonic()
                await self._notifications.send(orjson.dumps(payload).decode())
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(GATHER_SECONDS):
                        await self._is_urgent.wait()
        except Unavailable as away:
            # The others' polls find it.
            log.warning("notify_failed", error=away.message)
        finally:
            self._sending = None

    async def _listen(self) -> None:
        while True:
            try:
                async for payload in self._notifications.receive():
                    self._receive(payload)
            except Unavailable as away:
                log.warning("listen_failed", error=away.message, retry_seconds=RECONNECT_SECONDS)
            await asyncio.sleep(RECONNECT_SECONDS)

    def _receive(self, payload: str) -> None:
        message = orjson.loads(payload)
        if message["from"] == self._replica:
            return
        self.others = max(self.others, 1)
        self._hear(
            News(
                tuple(message.get("pools", ())),
                tuple(message.get("runs", ())),
                tuple(message.get("attempts", ())),
                bool(message.get("registry")),
                bool(message.get("hello")),
            )
        )

    async def stop(self) -> None:
        """Stop listening and close the connections; what is told from now on, the others' polls find."""
        self._is_stopping = True
        for task in (self._listening, self._sending):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        await self._notifications.close()
