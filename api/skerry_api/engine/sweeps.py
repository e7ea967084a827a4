"""The poll that finds whatever notifications missed, and ends what nobody vouches for any more.

Once a second: attempts whose moment has come, ready work for free runners, the ends of runs somebody waits for, attempts
that were ended elsewhere. Every few seconds: leases of busy runners. Now and then: retention.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from typing import TYPE_CHECKING

import structlog

from skerry_api.domain.errors import Unavailable
from skerry_api.domain.states import AttemptStatus, Reason
from skerry_api.engine.completions import Outcome
from skerry_api.storage import logs, pools, runners, runs, warm_usages
from skerry_api.storage.assignments import Assignment
from skerry_api.storage.polls import Poll

if TYPE_CHECKING:
    from skerry_api.engine.engines import Engine
    from skerry_api.engine.sessions import Session

log = structlog.get_logger(__name__)

# A poll this much later than planned means that this process, or its database, was away: runners could not reach it
# either, so their leases are given a new start.
AWAY_SECONDS = 5.0
EXPIRED_RUNS_PER_SWEEP = 500


class Sweeper:
    """The background work of one control-plane process."""

    def __init__(self, engine: Engine) -> None:
        """Sweep for `engine`."""
        self._engine = engine
        self._look = Poll(engine.database)
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._present_since = time.monotonic()
        self._last_poll = time.monotonic()
        self._next_lease = 0.0
        self._next_retention = 0.0

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="sweeper")

    def wake(self) -> None:
        """Poll now: a runner's process is known to be gone."""
        self._wake.set()

    async def stop(self) -> None:
        """Stop between two statements."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=5)
        await self._look.close()

    async def _run(self) -> None:
        while True:
            try:
                await self._poll()
            except Unavailable as away:
                self._present_since = time.monotonic()
                log.warning("database_away", error=away.message)
            except Exception:
                # One failed sweep must not end all sweeping; the next one finds the same work.
                log.exception("sweep_failed")
            self._wake.clear()
            try:
                # Not wait_for: before Python 3.12 it loses a cancellation that comes together with what it waits for.
                async with asyncio.timeout(self._engine.settings.poll_seconds):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _poll(self) -> None:
        engine, now = self._engine, time.monotonic()
        if now - self._last_poll > AWAY_SECONDS:
            self._present_since = now
            log.warning("was_away", seconds=round(now - self._last_poll, 1))
        self._last_poll = now
        lease_seconds = engine.settings.lease_seconds
        due, ready = await self._look.look(
            expire=now - self._present_since > lease_seconds,
            lease_ms=int(lease_seconds * 1000),
            pools=engine.dispatcher.hungry_pools(),
        )
        await asyncio.gather(*(self._end(assignment, why) for assignment, why in due))
        for session in engine.connections:
            if session.uncertain:
                await session.reconcile()
        for pool in ready:
            engine.dispatcher.wake(pool)
        if engine.ends.awaited:
            await engine.ends.catch_up()
        await self._find_ended_elsewhere()
        await self._dismiss()
        if now >= self._next_lease:
            self._next_lease = now + engine.settings.lease_seconds / 3
            await self._renew_leases()
            if engine.peers.others:
                await engine.registry.reload()
        if now >= self._next_retention:
            self._next_retention = now + engine.settings.retention_interval_seconds
            await self._retain()

    async def _end(self, assignment: Assignment, why: str) -> None:
        reason, message = judge_due(assignment.status, why, assignment.timeout_ms / 1000)
        log.warning(
            "attempt_due",
            run=assignment.run,
            attempt=assignment.number,
            reason=reason,
            message=message,
            **assignment.place,
        )
        error = {"type": reason.value, "message": message}
        if await self._engine.completions.settle(assignment, Outcome(reason, error=error), spawned=True):
            self._engine.connections.stop_attempts([assignment.attempt], "superseded")
            self._engine.peers.tell(attempt=assignment.attempt)

    async def _find_ended_elsewhere(self) -> None:
        held = self._engine.connections.held_attempts
        if not held or not self._engine.peers.others:
            return
        await self._engine.stop_ended(held)

    async def _dismiss(self) -> None:
        """Tell waiting runners to leave where there are too many: those first that have least to finish, or cannot begin yet.

        One that is given work meanwhile does it before it leaves.
        """
        idle: dict[str, list[Session]] = defaultdict(list)
        for session in self._engine.connections:
            if session.is_idle:
                idle[session.pool].append(session)
        if not idle:
            return
        async with self._engine.database.autocommit() as connection:
            excess = await pools.take_excess(connection, {pool: len(sessions) for pool, sessions in idle.items()})
        for pool, count in excess.items():
            chosen = sorted(idle[pool], key=lambda session: (session.active, session.is_ready))
            for session in chosen[:count]:
                session.leave()

    async def _renew_leases(self) -> None:
        engine = self._engine
        lease_ms = int(engine.settings.lease_seconds * 1000)
        async with engine.database.autocommit() as connection:
            busy = engine.connections.busy_runners
            if busy:
                await runners.renew_leases(connection, busy, lease_ms)
            engine.peers.others = await runners.beat_replica(
                connection, engine.settings.replica, engine.settings.lease_seconds
            )

    async def _retain(self) -> None:
        engine = self._engine
        async with engine.database.transaction() as connection:
            await logs.ensure_log_partitions(connection, 3)
            await logs.drop_log_partitions(connection, engine.settings.log_retention_days)
            await warm_usages.delete_expired_warm_usages(connection)
        while True:
            async with engine.database.transaction() as connection:
                removed = await runs.delete_expired_runs(connection, EXPIRED_RUNS_PER_SWEEP)
            if removed < EXPIRED_RUNS_PER_SWEEP:
                return


def judge_due(status: str, why: str, timeout_seconds: float) -> tuple[Reason, str]:
    """Why an attempt that is due ends, and in which words."""
    if why == "lease":
        return Reason.RUNNER_LOST, "the runner of this attempt was lost: it stopped answering"
    if status == AttemptStatus.RUNNING:
        return (
            Reason.TIMEOUT,
            f"the attempt ran longer than its timeout of {timeout_seconds:g} s and its runner did not end it",
        )
    return Reason.RUNNER_LOST, "the runner took the attempt but did not start it in time"
