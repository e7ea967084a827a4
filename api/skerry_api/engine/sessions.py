"""One connected runner: what it holds, what it says, what it is told.

Messages about an attempt carry its token. What speaks for an attempt this runner does not hold goes to `refusals`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from skerry_api.domain.errors import InvalidRequest
from skerry_api.domain.states import AttemptStatus, Reason
from skerry_api.engine.children import Children
from skerry_api.engine.completions import Outcome
from skerry_api.engine.messages import Message, assign, log_entries, outcome_of, timestamp, welcome
from skerry_api.engine.refusals import Refusals
from skerry_api.storage import launches, runners, runs
from skerry_api.storage.assignments import Assignment

if TYPE_CHECKING:
    from skerry_api.engine.engines import Engine

log = structlog.get_logger(__name__)

Row = Mapping[Any, Any]


@dataclass(slots=True)
class Held:
    """An attempt this runner works on."""

    assignment: Assignment
    children: Children
    waiting: bool = False
    spawned: bool = False
    completing: bool = False
    stopped: bool = False
    started_at: str | None = None
    log_turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Session:
    """The conversation with one runner, for as long as its connection lasts."""

    def __init__(self, engine: Engine, runner: Row, hello: Message, send: Callable[[Message], None]) -> None:
        """`runner` is the row its token belongs to; `send` queues a message to it."""
        self._engine = engine
        self.runner_id: str = runner["id"]
        self.pool: str = runner["pool"]
        self.version_id: str = runner["version_id"]
        self.workflow_id: str = runner["workflow_id"]
        self.pod_name: str | None = runner.get("pod_name")
        self.node: str | None = runner.get("node")
        # A Pod that was started for no attempt in particular.
        self._awaits_work = self.pod_name is not None and not runner.get("pinned_attempt")
        # It takes one attempt, and no other.
        self._is_single = self.pod_name is not None and runner["isolation"] == "container"
        self.adopts = self._awaits_work and self._is_single
        self._registering: bool = runner["version_status"] == "registering"
        self._ready = False
        self.capacity = max(1, int(hello.get("capacity", 1)))
        self.reserved = 0
        self._send = send
        self._refusals = Refusals(engine, send)
        self._held: dict[str, Held] = {}
        self._active = 0
        self.uncertain = False
        self._spent = False
        self._leaving = False
        self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._handlers: dict[str, Callable[[Message, Held], None]] = {
            "started": self._on_started,
            "spawn": self._on_spawn,
            "cancel_child": self._on_cancel_child,
            "waiting": self._on_waiting,
            "logs": self._on_logs,
        }

    @property
    def free(self) -> int:
        """How many more attempts it may be given; those that wait for children do not count."""
        if self._leaving or self._closed or self._spent:
            return 0
        return self.capacity - self._active - self.reserved

    @property
    def is_idle(self) -> bool:
        """Whether it is a Pod that waits for work, and may be told to leave."""
        return self._awaits_work and self.free > 0

    @property
    def is_ready(self) -> bool:
        """Whether its application is imported."""
        return self._ready

    @property
    def active(self) -> int:
        """How many attempts it works on, not counting those that wait for children."""
        return self._active

    @property
    def holds(self) -> bool:
        """Whether it works on anything."""
        return bool(self._held)

    @property
    def held_attempts(self) -> list[str]:
        """The attempts it works on."""
        return [attempt for attempt, held in self._held.items() if not held.completing and not held.stopped]

    # Towards the runner

    async def open(self, resuming: list[Message]) -> None:
        """Greet the runner, and settle with it what it and the record say it holds."""
        settings = self._engine.settings
        self._send(welcome(self.runner_id, settings))
        async with self._engine.database.transaction() as connection:
            recorded = await runners.fetch_held(connection, self.runner_id, settings.limits.inline_bytes)
            await runners.renew_leases(connection, [self.runner_id], int(settings.lease_seconds * 1000))
        known = {entry["attempt"]: entry["token"] for entry in resuming}
        await self._take_up(recorded, known)
        for entry in resuming:
            if entry["attempt"] not in self._held:
                await self._refusals.answer(entry)

    async def _take_up(self, recorded: Sequence[Assignment], known: Mapping[str, str]) -> None:
        """Bring together what the record says the runner holds and what it says itself (`known`: tokens by attempt)."""
        for assignment in recorded:
            if known.get(assignment.attempt) == assignment.token:
                await self._resume(assignment)
            elif assignment.status == AttemptStatus.STARTING:
                self.reserved += 1
                self.assign(assignment)
            else:
                self._spawn_task(self._lose(assignment))

    async def take_pinned(self, attempt: str) -> None:
        """Give the runner the attempt it was started for; without it, it is of no use.

        Raises:
            Unavailable: Postgres is away.
        """
        if attempt in self._held:
            return
        settings = self._engine.settings
        async with self._engine.database.transaction() as connection:
            assignment = await launches.claim_attempt(
                connection,
                attempt,
                self.runner_id,
                pod=self.pod_name,
                node=self.node,
                start_ms=int(settings.start_seconds * 1000),
                inline_bytes=settings.limits.inline_bytes,
            )
        if assignment is None:
            self.leave()
            return
        log.info("attempt_assigned", run=assignment.run, attempt=assignment.number, **assignment.place)
        self.reserved += 1
        self.assign(assignment)

    async def reconcile(self) -> None:
        """Give the runner what was recorded as its own by a write whose answer was lost."""
        held = set(self._held)
        async with self._engine.database.transaction() as connection:
            recorded = await runners.fetch_held(connection, self.runner_id, self._engine.settings.limits.inline_bytes)
        self.uncertain = False
        missing = [entry for entry in recorded if entry.attempt not in held | self._held.keys()]
        await self._take_up([entry for entry in missing if entry.status == AttemptStatus.STARTING], {})

    async def _resume(self, assignment: Assignment) -> None:
        held = self._hold(assignment)
        async with self._engine.database.transaction() as connection:
            children = await runs.fetch_children(connection, assignment.run, assignment.number - 1)
        for child in children:
            held.children.follow(child)
        await self._engine.ends.catch_up(children)

    async def _lose(self, assignment: Assignment) -> None:
        message = "the runner was restarted while it ran this attempt"
        outcome = Outcome(Reason.RUNNER_LOST, error={"type": "RunnerLost", "message": message})
        await self._engine.completions.settle(assignment, outcome, spawned=True)

    def assign(self, assignment: Assignment, company: int = 1) -> None:
        """Give the runner an attempt for which a slot was reserved; the record says so already.

        `company` is how many attempts begin on its node in this moment, this one included.
        """
        self.reserved -= 1
        if self._closed:
            return  # It gets it when it connects again; if it does not, its lease runs out.
        if assignment.attempt in self._held:
            return  # `reconcile` found it in the record first.
        self._hold(assignment)
        self._send(assign(assignment, self._engine.traces.attempt_context(assignment), company))

    def _hold(self, assignment: Assignment) -> Held:
        self._active += 1
        self._spent = self._is_single
        held = Held(assignment, Children(self._engine, assignment, self._send), spawned=assignment.spawned > 0)
        self._held[assignment.attempt] = held
        self._engine.connections.hold(assignment.attempt, self)
        return held

    def register(self) -> None:
        """Have the runner report the application's tasks."""
        self._send({"type": "register"})

    def stop_attempt(self, attempt: str, reason: str) -> None:
        """An attempt was ended from outside: the runner stops it; what it says of it no longer counts, but for log lines."""
        held = self._held.get(attempt)
        if held is None or held.stopped:
            return
        held.stopped = True
        self._engine.progresses.drop(attempt)
        grace = self._engine.settings.cancel_grace_seconds
        self._send({"type": "cancel", "attempt": attempt, "reason": reason, "grace_seconds": grace})

    def leave(self) -> None:
        """Have the runner exit when it is idle."""
        self._leaving = True
        self._engine.dispatcher.leave(self)
        self._send({"type": "exit"})

    def close(self) -> None:
        """The connection is gone; what the runner holds stays its own until its lease runs out."""
        if self._closed:
            return
        self._closed = True
        self._engine.dispatcher.leave(self)
        for attempt, held in self._held.items():
            held.children.unfollow()
            self._engine.connections.let_go(attempt, self)
        self._held.clear()

    # From the runner

    def receive(self, message: Message) -> None:
        """Act on one message.

        Raises:
            InvalidRequest: it is malformed; the connection is worth nothing then.
        """
        kind = message.get("type")
        try:
            if kind == "complete":
                self._on_complete(message)
            elif kind == "registered":
                self._spawn_task(self._on_registered(message))
            elif kind == "ready":
                self._ready = True
                self._join()
            elif kind in self._handlers:
                held = self._held.get(message["attempt"])
                if held is None or held.assignment.token != message["token"]:
                    self._spawn_task(self._refusals.answer(message))
                elif kind == "logs" or not held.stopped:
                    self._handlers[kind](message, held)
            else:
                raise InvalidRequest(f"unknown message type {kind!r}")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidRequest(f"malformed {kind!r} message: {type(error).__name__}: {error}") from error

    def _on_started(self, message: Message, held: Held) -> None:
        held.started_at = message["started_at"]
        seq = int(message["seq"])
        self._engine.progresses.put(
            held.assignment,
            held.started_at,
            waiting=held.waiting,
            written=lambda: self._ack(message["attempt"], seq),
        )

    def _on_waiting(self, message: Message, held: Held) -> None:
        waiting = bool(message["waiting"])
        if waiting == held.waiting:
            return
        held.waiting = waiting
        self._active += -1 if waiting else 1
        started = held.started_at or timestamp(time.time())
        self._engine.progresses.put(held.assignment, started, waiting=waiting)
        if waiting:
            self._engine.dispatcher.freed(self)

    def _on_logs(self, message: Message, held: Held) -> None:
        self._spawn_task(self._store_logs(held, int(message["seq"]), log_entries(message)))

    async def _store_logs(self, held: Held, seq: int, entries: list[dict[str, Any]]) -> None:
        # In order, also when one has to be tried again: lines stored ahead of earlier ones would make those look repeated.
        async with held.log_turn:
            await self._engine.store_logs(held.assignment, seq, entries)
        self._ack(held.assignment.attempt, seq)

    def _on_spawn(self, message: Message, held: Held) -> None:
        held.spawned = True
        self._spawn_task(held.children.spawn(message))

    def _on_cancel_child(self, message: Message, held: Held) -> None:
        if message["run"] in held.children:
            self._spawn_task(self._engine.cancel_runs([message["run"]], "canceled by its parent"))

    def _on_complete(self, message: Message) -> None:
        held = self._held.get(message["attempt"])
        if held is None or held.assignment.token != message["token"]:
            self._spawn_task(self._refusals.answer(message))
            return
        if held.completing:
            return  # Sent again before the commit; the acknowledgement is on its way.
        seq = int(message["seq"])
        outcome = outcome_of(message)
        held.completing = True
        self._engine.progresses.drop(held.assignment.attempt)
        held.children.unfollow()
        if not held.waiting:
            self._active -= 1
            self._engine.dispatcher.freed(self)
        self._spawn_task(self._complete(held, outcome, seq))

    async def _complete(self, held: Held, outcome: Outcome, seq: int) -> None:
        attempt = held.assignment.attempt
        if not held.stopped:
            applied = await self._engine.completions.settle(held.assignment, outcome, spawned=held.spawned)
            if not applied:
                log.info("completion_superseded", attempt=attempt, runner=self.runner_id)
        # Settled, or ended by somebody else before: either way there is nothing left to say about it.
        self._ack(attempt, seq)
        self._held.pop(attempt, None)
        self._engine.connections.let_go(attempt, self)

    def _join(self) -> None:
        """Take work from now on, if the application is imported and may be used."""
        if self._awaits_work and self._ready and not self._registering:
            self._engine.dispatcher.join(self)

    async def _on_registered(self, message: Message) -> None:
        registered = await self._engine.finish_registration(self.workflow_id, self.version_id, message)
        self._registering = False
        if registered:
            self._join()
        elif self._awaits_work:
            self.leave()

    def _ack(self, attempt: str, seq: int) -> None:
        self._send({"type": "ack", "attempt": attempt, "seq": seq})

    def _spawn_task(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            # What was not acknowledged is sent again by the runner, so nothing is lost.
            log.error("session_task_failed", runner=self.runner_id, error=str(error), exc_info=error)
