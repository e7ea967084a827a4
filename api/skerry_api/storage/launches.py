"""Attempts that need a container of their own, as an executor sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from skerry_api.storage import statements, tables
from skerry_api.storage.assignments import Assignment, assignment_from
from skerry_api.storage.databases import fetch_rows


@dataclass(frozen=True, slots=True)
class Launch:
    """The open attempt of a run."""

    attempt: str
    run: str
    number: int
    status: str
    pool: str
    workflow: str
    version_id: str
    task: str
    plan: str
    timeout_seconds: float


async def fetch_launchable(connection: AsyncConnection, limit: int) -> list[Launch]:
    """The queued attempts that should have a container now: the first `limit` of the queue, within their workflows' limits."""
    return [_launch(row) for row in await fetch_rows(connection, statements.LAUNCHABLE, {"most": limit})]


async def fetch_open(connection: AsyncConnection, runs: Sequence[str]) -> dict[str, Launch]:
    """The open attempts of `runs`, by run; a run that is over, or unknown, has none."""
    launches = [_launch(row) for row in await fetch_rows(connection, statements.OPEN_LAUNCHES, (list(runs),))]
    return {launch.run: launch for launch in launches}


async def claim_attempt(
    connection: AsyncConnection, attempt: str, runner_id: str, *, start_ms: int, inline_bytes: int
) -> Assignment | None:
    """Give a queued attempt to the runner that was started for it; None when it is not queued any more."""
    parameters = {"attempt": attempt, "runner": runner_id, "start_ms": start_ms, "inline_bytes": inline_bytes}
    rows = await fetch_rows(connection, statements.CLAIM_ATTEMPT, parameters)
    return assignment_from(rows[0]) if rows else None


async def fetch_source(connection: AsyncConnection, version_id: str) -> Mapping[str, Any] | None:
    """What a version was released from."""
    found = await connection.execute(select(tables.versions.c.source).where(tables.versions.c.id == version_id))
    source: Mapping[str, Any] | None = found.scalar_one_or_none()
    return source


def _launch(row: Sequence[Any]) -> Launch:
    attempt, run, number, status, pool, workflow, version_id, task, plan, timeout_ms = row
    return Launch(attempt, run, number, status, pool, workflow, version_id, task, plan, timeout_ms / 1000)
