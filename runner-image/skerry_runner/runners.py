"""The runner itself: what the control plane asks becomes attempts, and attempts get their places."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

import orjson

from skerry_runner.attempts import Attempt
from skerry_runner.events import log
from skerry_runner.messages import Assignment, ChildFinished, Limits
from skerry_runner.outcomes import Outcome, Raised
from skerry_runner.payloads import Gone, Payloads, TooLarge
from skerry_runner.places import MOST_STANDBYS, Places, ProcessPlaces, Slots
from skerry_runner.processes import Nursery, become_subreaper
from skerry_runner.sessions import Session
from skerry_runner.settings import Settings
from skerry_runner.slots import Exit
from skerry_runner.surroundings import Surroundings
from skerry_runner.watches import MemoryWatch

# After SIGTERM and grace: time to deliver the last reports.
_FAREWELL_SECONDS = 5.0
_BURIAL_SECONDS = 2.0
# Allocations between two collections, Python's default being 700: runs leave hardly any cycles behind.
_COLLECT_AFTER = 10_000


class Runner:
    """One runner, from its first connection until it leaves.

    Attributes:
        last_outcome: how the attempt ended whose end was committed last.
    """

    def __init__(self, settings: Settings, background: Callable[[Coroutine[Any, Any, None]], object]) -> None:
        """Prepare, within a running loop."""
        self._settings = settings
        self._background = background
        self._limits = Limits()
        self._directory = settings.sockets or Path(tempfile.mkdtemp(prefix="skerry-"))
        self._session = Session(settings, self._limits)
        self._payloads = Payloads(settings)
        self._nursery = Nursery(settings, background)
        self._slots = Slots(self._directory, self._limits, background)
        self._places = self._make_places()
        self._slots.on_free = self._fill_or_leave
        if isinstance(self._places, ProcessPlaces) and settings.awaits_work:
            self._places.on_ready = self._stand_by
        # Whether the control plane was told that an attempt could begin at once, and whether there was the only one.
        self._standing_by = self._is_spent = False
        self._attempts: dict[str, Attempt] = {}
        self.last_outcome: Outcome | None = None
        self._running = 0
        self._leaving = False
        self._stopping = False
        self._memory = MemoryWatch(self._attempts)
        self._left = asyncio.Event()
        self._empty: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._around = Surroundings(
            self._session,
            self._limits,
            settings.echo,
            settings.grace_seconds,
            self._busy,
            self._on_settled,
            self._upload,
        )
        self._actions: dict[str, Callable[[dict[str, Any]], None]] = {
            "assign": self._assign,
            "register": self._register,
            "spawned": self._spawned,
            "spawn_failed": self._spawn_failed,
            "child_finished": self._child_finished,
            "cancel": self._cancel,
            "exit": self._exit,
        }

    def _make_places(self) -> Places:
        if self._settings.isolation == "worker":
            from skerry_runner.workers import SharedPlaces  # no cold start of a Pod needs it

            return SharedPlaces(self._settings, self._slots, self._nursery)
        return ProcessPlaces(self._settings, self._slots, self._nursery, self._background)

    async def run(self) -> None:
        """Work until told to leave."""
        become_subreaper()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        if self._settings.lifeline_fd is not None:
            loop.add_reader(self._settings.lifeline_fd, self._read_lifeline, self._settings.lifeline_fd)
        try:
            await self._slots.open(min(self._settings.capacity, MOST_STANDBYS) + 1)
            self._places.start()
            self._background(self._session.run(self))
            if self._settings.pinned_attempt is None:
                # What lives now lives as long as the runner: the collector need not look at it again.
                gc.collect()
                gc.freeze()
            gc.set_threshold(_COLLECT_AFTER, 20, 20)
            await self._left.wait()
        finally:
            with contextlib.ExitStack() as last:  # also when a failure cuts the burial short
                last.callback(self._remove_sockets)
                await self._close()

    # What the session asks.

    def receive(self, message: dict[str, Any]) -> None:
        """Act on a message of the control plane."""
        action = self._actions.get(message["type"])
        if action is None:
            log.info("message_unknown", type=message["type"])
        else:
            action(message)

    def acknowledged(self, attempt: str, seq: int) -> None:
        """A message about an attempt is committed; after the last one it can be forgotten."""
        known = self._attempts.get(attempt)
        if known is not None and known.complete_seq == seq:
            self._session.conclude(attempt)
            self.last_outcome = known.outcome
            del self._attempts[attempt]
            self._leave_if_idle()

    def resuming(self) -> list[dict[str, str]]:
        """All attempts whose end is not committed yet."""
        return [{"attempt": attempt.id, "token": attempt.token} for attempt in self._attempts.values()]

    def connected(self) -> None:
        """Repeat what is said only once: that an attempt could begin at once, and who waits."""
        if self._standing_by and not self._is_spent:
            self._session.post(orjson.dumps({"type": "ready"}))
        for attempt in self._attempts.values():
            if attempt.waiting and not attempt.settled:
                attempt.send_waiting(True)

    # What the control plane asks.

    def _assign(self, message: dict[str, Any]) -> None:
        assignment = cast(Assignment, message)
        if assignment["attempt"] in self._attempts:
            return
        self._is_spent = self._settings.isolation == "container"
        attempt = Attempt(assignment, self._around)
        self._attempts[attempt.id] = attempt
        self._running += 1
        if self._stopping:
            attempt.end("stopping", 0)
        elif assignment["input"] is None:
            self._background(self._fetch_then_place(attempt))
        else:
            self._places.place(attempt)
        if self._settings.enforce_memory:
            self._memory.wake()

    async def _fetch_then_place(self, attempt: Attempt) -> None:
        try:
            attempt.assignment["input"] = await self._payloads.fetch_input(attempt.assignment)
        except Gone as error:
            log.warning("input_gone", attempt=attempt.id, error=str(error))
            self._supersede(attempt)
            return
        if not attempt.settled:
            self._places.place(attempt)

    def _register(self, _message: dict[str, Any]) -> None:
        from skerry_runner.registrations import RegisterTenant  # once in the life of a version

        slot = self._slots.acquire()
        if slot is None:
            asyncio.get_running_loop().call_later(0.01, self._register, _message)
            return
        RegisterTenant(slot, self._registered)
        try:
            self._nursery.start(slot, "register")
        except OSError as error:
            slot.ended(Exit(None, lost=f"{self._settings.program[0]} cannot be started: {error.strerror or error}"))

    def _registered(self, result: dict[str, Any]) -> None:
        self._session.post(orjson.dumps({"type": "registered", **result}))
        self._leave_if_idle()

    def _spawned(self, message: dict[str, Any]) -> None:
        attempt = self._attempts.get(message["attempt"])
        if attempt is not None:
            attempt.calls.on_spawned(message["call"], message["run"])

    def _spawn_failed(self, message: dict[str, Any]) -> None:
        attempt = self._attempts.get(message["attempt"])
        if attempt is not None:
            attempt.calls.on_spawn_failed(message["call"], message["error"])

    def _child_finished(self, message: dict[str, Any]) -> None:
        attempt = self._attempts.get(message["attempt"])
        if attempt is not None:
            attempt.waits.on_child_finished(cast(ChildFinished, message))

    def _cancel(self, message: dict[str, Any]) -> None:
        attempt = self._attempts.get(message["attempt"])
        if attempt is None:
            return
        reason = message["reason"]
        if reason == "superseded":
            self._supersede(attempt)
        else:
            grace = message.get("grace_seconds")
            attempt.end(
                "timeout" if reason == "timeout" else "canceled",
                self._settings.grace_seconds if grace is None else float(grace),
            )

    def _supersede(self, attempt: Attempt) -> None:
        log.info("attempt_superseded", attempt=attempt.id)
        host = attempt.host
        attempt.supersede()
        self._attempts.pop(attempt.id, None)
        if host is not None:
            host.stop(attempt, 0)
        self._leave_if_idle()

    def _exit(self, _message: dict[str, Any]) -> None:
        log.info("leaving", attempts=self._running)
        self._leaving = True
        self._places.rest()
        self._leave_if_idle()

    def _stand_by(self) -> None:
        """Tell that the application is imported: what is given to this runner now begins within milliseconds."""
        if self._standing_by or self._leaving or self._is_spent:
            return
        self._standing_by = True
        self._session.post(orjson.dumps({"type": "ready"}))

    # Attempts.

    def _busy(self) -> bool:
        if self._places.queued:
            return True
        waiting = sum(1 for attempt in self._attempts.values() if attempt.waiting and not attempt.settled)
        return self._running - waiting >= self._settings.capacity

    def _on_settled(self, attempt: Attempt) -> None:
        self._running -= 1
        self._places.withdraw(attempt)
        if self._settings.isolation == "container":
            self._leaving = True

    def _upload(self, attempt: Attempt, text: str, complete: Callable[[Outcome, bool], None]) -> None:
        self._background(self._store_result(attempt, text, complete))

    async def _store_result(self, attempt: Attempt, text: str, complete: Callable[[Outcome, bool], None]) -> None:
        try:
            await self._payloads.store_result(attempt.assignment, text)
        except TooLarge as error:
            refused = Raised(f"the control plane refused the result for its size: {error}", "PayloadTooLarge")
            details = {"type": refused.type, "message": refused.message, "stack_trace": None, "retryable": True}
            complete(Outcome("failed", error=cast(Any, details), reason="payload_too_large"), False)
        except Gone as error:
            log.warning("result_gone", attempt=attempt.id, error=str(error))
            self._session.forget(attempt.id)
            self._attempts.pop(attempt.id, None)
            self._leave_if_idle()
        else:
            complete(Outcome("succeeded"), True)

    # Leaving.

    def _stop(self) -> None:
        if self._stopping:
            return
        log.info("stopping", attempts=self._running)
        self._stopping = self._leaving = True
        self._places.rest()
        for attempt in tuple(self._attempts.values()):
            attempt.end("stopping", self._settings.grace_seconds)
        asyncio.get_running_loop().call_later(self._settings.grace_seconds + _FAREWELL_SECONDS, self._left.set)
        self._leave_if_idle()

    def _read_lifeline(self, descriptor: int) -> None:
        if not os.read(descriptor, 1024):
            log.info("lifeline_ended")
            asyncio.get_running_loop().remove_reader(descriptor)
            self._left.set()

    def _fill_or_leave(self) -> None:
        self._places.fill()
        self._leave_if_idle()

    def _leave_if_idle(self) -> None:
        # A process whose result is known may still be sending what it traced.
        if self._leaving and not self._attempts and not self._places.lingering:
            self._left.set()

    def _note_empty(self) -> None:
        if not self._slots.occupied and not self._empty.done():
            self._empty.set_result(None)

    async def _close(self) -> None:
        """Kill what still runs, and wait for it to be gone."""
        for attempt in self._attempts.values():
            attempt.settle_quietly()
        self._places.close()
        self._slots.on_free = self._note_empty
        self._note_empty()
        await asyncio.wait([self._empty], timeout=_BURIAL_SECONDS)
        await self._nursery.bury_orphans()
        await self._session.close()
        await self._payloads.close()

    def _remove_sockets(self) -> None:
        self._slots.close()
        if self._settings.sockets is None:
            return shutil.rmtree(self._directory, ignore_errors=True)
        with contextlib.suppress(OSError):  # who gave the folder removes it too, unless it was killed
            self._directory.rmdir()
