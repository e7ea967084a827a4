"""What the engine must know of an attempt to run it and to decide what follows its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from skerry_api.domain.retries import Retry
from skerry_api.domain.states import Failures
from skerry_api.storage import statements
from skerry_api.storage.databases import fetch_rows


@dataclass(slots=True)
class Assignment:
    """One attempt with what a runner and a decision need of its run; times in epoch seconds."""

    attempt: str
    token: str
    number: int
    runner_id: str | None
    spawned: int
    pool: str
    run: str
    root: str
    parent: str | None
    workflow_id: str
    version_id: str
    workflow: str
    task: str
    plan: str
    priority: int
    timeout_ms: int
    max_retries: int
    retry_wait_ms: int
    retry_factor: float
    user_failures: int
    infrastructure_failures: int
    depth: int
    traceparent: str | None
    metadata: Mapping[str, Any]
    created_at: float
    queued_at: float
    ready_at: float
    started_at: float | None
    status: str
    input: str | None
    pod_name: str | None = None
    node: str | None = None

    @property
    def failures(self) -> Failures:
        """The run's failures so far and its retry policy."""
        retry = Retry(self.max_retries, self.retry_wait_ms, self.retry_factor)
        return Failures(retry, self.user_failures, self.infrastructure_failures)

    @property
    def place(self) -> dict[str, str]:
        """The Pod and the node that run it, as far as they are known: for log lines."""
        return {name: value for name, value in (("pod", self.pod_name), ("node", self.node)) if value is not None}


def assignment_from(row: Sequence[Any]) -> Assignment:
    """An assignment from a row of `statements.CLAIM`, `CLAIM_IN_LANES`, `HELD`, `ATTEMPT` or `DUE`."""
    return Assignment(*row[:32])


async def fetch_assignment(connection: AsyncConnection, attempt: str) -> Assignment | None:
    """One attempt, whatever its state, without its input."""
    rows = await fetch_rows(connection, statements.ATTEMPT, {"attempt": attempt, "inline_bytes": 0})
    return assignment_from(rows[0]) if rows else None
