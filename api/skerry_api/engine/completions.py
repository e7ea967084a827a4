"""The end of attempts: one decision, one transaction, then everybody who waits is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from skerry_api.domain import ids
from skerry_api.domain.errors import Unavailable
from skerry_api.domain.states import Reason, RunStatus, Settlement, decide_settlement
from skerry_api.engine.dispatchers import Dispatcher
from skerry_api.engine.ends import Ends
from skerry_api.engine.peers import Peers
from skerry_api.engine.telemetry import Telemetry
from skerry_api.engine.traces import Traces
from skerry_api.storage.assignments import Assignment
from skerry_api.storage.cascades import Canceled
from skerry_api.storage.runs import Finished
from skerry_api.storage.writers import Writer

log = structlog.get_logger(__name__)

RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)
# The runner keeps the outcome until it is acknowledged, so giving up here loses nothing.
GIVE_UP_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: `reason` is None for success; `result` is JSON text; times are RFC 3339."""

    reason: Reason | None
    result: str | None = None
    error: Mapping[str, Any] | None = None
    retryable: bool = True
    usage: Mapping[str, Any] = field(default_factory=dict)
    timings: Mapping[str, Any] = field(default_factory=dict)
    started_at: str | None = None
    finished_at: float = field(default_factory=time.time)
    started: float | None = None


class Completions:
    """Settles attempts and cancels runs."""

    def __init__(
        self,
        writer: Writer,
        dispatcher: Dispatcher,
        ends: Ends,
        peers: Peers,
        telemetry: Telemetry,
        traces: Traces,
    ) -> None:
        """Write through `writer`, then tell the others."""
        self._writer = writer
        self._dispatcher = dispatcher
        self._ends = ends
        self._peers = peers
        self._telemetry = telemetry
        self._traces = traces
        # Called with attempts that were ended from outside, so that a runner connected here stops them.
        self.stop_attempts: Callable[[Sequence[str], str], None] = lambda attempts, reason: None

    async def settle(self, assignment: Assignment, outcome: Outcome, *, spawned: bool) -> bool:
        """End an attempt; answers after the commit whether it took effect.

        Raises:
            Unavailable: Postgres stayed away for two minutes.
        """
        settlement = decide_settlement(outcome.reason, assignment.failures, retryable=outcome.retryable)
        row = _settlement_row(assignment, outcome, settlement, spawned=spawned)
        settled = await self._persistently(row)
        if not settled.applied:
            return False
        self._telemetry.attempt_ended(assignment, outcome.reason, outcome.started, outcome.finished_at)
        self._traces.attempt_ended(assignment, outcome, settlement)
        self._after(assignment, outcome, settlement)
        self._after_cancel(settled.canceled, "canceled")
        return True

    async def _persistently(self, row: Mapping[str, Any]) -> Any:
        began = time.monotonic()
        for wait in _backoff():
            try:
                return await self._writer.settle(row)
            except Unavailable as away:
                if time.monotonic() - began > GIVE_UP_SECONDS:
                    raise
                log.warning("settle_delayed", attempt=row["attempt"], error=away.message, retry_seconds=wait)
                await asyncio.sleep(wait)
        raise AssertionError("the back-off never ends")

    def _after(self, assignment: Assignment, outcome: Outcome, settlement: Settlement) -> None:
        if settlement.retry_after_ms is not None:
            self._dispatcher.queued(assignment.pool, settlement.retry_after_ms / 1000)
            log.info(
                "attempt_failed",
                run=assignment.run,
                attempt=assignment.number,
                reason=outcome.reason,
                retry_ms=settlement.retry_after_ms,
                **assignment.place,
            )
        else:
            self._telemetry.run_finished(assignment.workflow, assignment.task, settlement.run.value)
            result = outcome.result if settlement.run is RunStatus.SUCCEEDED else None
            self._tell(Finished(assignment.run, settlement.run, outcome.error, result))
        self._dispatcher.limit_freed(assignment.pool, assignment.workflow_id)

    def _tell(self, finished: Finished) -> None:
        self._ends.announce(finished)
        self._peers.tell(run=finished.run)

    async def cancel(self, run_ids: Sequence[str], reason: Reason, message: str) -> Canceled:
        """Cancel runs with their descendants; those that are over stay as they are.

        Raises:
            Unavailable: Postgres is away.
        """
        canceled = await self._writer.cancel(run_ids, reason.value, message)
        self._after_cancel(canceled, reason.value)
        return canceled

    def _after_cancel(self, canceled: Canceled, reason: str) -> None:
        if not canceled.runs:
            return
        self.stop_attempts(canceled.attempts, reason)
        for attempt in canceled.attempts:
            self._peers.tell(attempt=attempt)
        for run_id in canceled.runs:
            self._tell(Finished(run_id, RunStatus.CANCELED, {"type": "RunCanceled", "message": "canceled"}, None))


def _settlement_row(
    assignment: Assignment, outcome: Outcome, settlement: Settlement, *, spawned: bool
) -> dict[str, Any]:
    return {
        "attempt": assignment.attempt,
        "run": assignment.run,
        "token": assignment.token,
        "attempt_status": settlement.attempt.value,
        "run_status": settlement.run.value,
        "reason": settlement.reason,
        "error": _clean(outcome.error),
        "usage": outcome.usage,
        "timings": outcome.timings,
        "started_at": outcome.started_at,
        "result": outcome.result if settlement.run is RunStatus.SUCCEEDED else None,
        "user_failures": settlement.user_failures,
        "infrastructure_failures": settlement.infrastructure_failures,
        "next_token": ids.new_token() if settlement.retries else None,
        "next_wait_ms": settlement.retry_after_ms,
        "spawned": spawned,
    }


def _clean(error: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The error without NUL characters, which Postgres cannot store."""
    if error is None:
        return None
    return {key: value.replace("\0", "\\0") if isinstance(value, str) else value for key, value in error.items()}


def _backoff() -> Any:
    yield from RETRY_SECONDS
    while True:
        yield RETRY_SECONDS[-1]
