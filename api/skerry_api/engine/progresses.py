"""What user code does – begun, waiting for children, working again – written lazily.

A short attempt is over before its start would be written: the completion then carries the start with it, and one write is
saved. Nothing depends on these rows for correctness; they are what people see, and what frees concurrency slots.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from skerry_api.domain.errors import SkerryError
from skerry_api.storage.assignments import Assignment
from skerry_api.storage.writers import Writer

log = structlog.get_logger(__name__)

DELAY_SECONDS = 0.05
RETRY_SECONDS = 1.0


class Progresses:
    """The latest progress of attempts that is not written yet."""

    def __init__(self, writer: Writer, grace_seconds: float, limit_freed: Callable[[str, str], None]) -> None:
        """An attempt is looked at `grace_seconds` after its timeout; `limit_freed` is told of waiting attempts."""
        self._writer = writer
        self._grace_ms = int(grace_seconds * 1000)
        self._limit_freed = limit_freed
        self._pending: dict[str, tuple[Assignment, dict[str, Any], list[Callable[[], None]]]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None

    def put(
        self,
        assignment: Assignment,
        started_at: str | None,
        *,
        waiting: bool,
        written: Callable[[], None] | None = None,
    ) -> None:
        """Note an attempt's progress; `written` is called after the commit."""
        row = {
            "attempt": assignment.attempt,
            "token": assignment.token,
            "started_at": started_at,
            "check_ms": assignment.timeout_ms + self._grace_ms,
            "waiting": waiting,
        }
        callbacks = self._pending[assignment.attempt][2] if assignment.attempt in self._pending else []
        if written is not None:
            callbacks.append(written)
        self._pending[assignment.attempt] = (assignment, row, callbacks)
        self._schedule(DELAY_SECONDS)

    def drop(self, attempt: str) -> None:
        """The attempt ends: its completion carries what was not written."""
        self._pending.pop(attempt, None)

    def _schedule(self, delay: float) -> None:
        if self._timer is None and self._flushing is None:
            self._timer = asyncio.get_running_loop().call_later(delay, self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._flushing = asyncio.create_task(self._flush(), name="progress")

    async def _flush(self) -> None:
        pending, self._pending = self._pending, {}
        outcomes = await asyncio.gather(
            *(self._writer.progress(row) for _, row, _ in pending.values()), return_exceptions=True
        )
        delay = DELAY_SECONDS
        for (attempt, entry), outcome in zip(pending.items(), outcomes, strict=True):
            assignment, row, callbacks = entry
            if isinstance(outcome, SkerryError):
                self._pending.setdefault(attempt, entry)
                delay = RETRY_SECONDS
            elif isinstance(outcome, BaseException):
                log.error("progress_failed", attempt=attempt, error=str(outcome))
            else:
                for written in callbacks:
                    written()
                if row["waiting"]:
                    self._limit_freed(assignment.pool, assignment.workflow_id)
        self._flushing = None
        if self._pending:
            self._schedule(delay)

    async def stop(self) -> None:
        """Let the write under way finish."""
        if self._timer is not None:
            self._timer.cancel()
        if self._flushing is not None:
            await asyncio.wait([self._flushing], timeout=5)
