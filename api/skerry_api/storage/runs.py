"""Runs and their attempts, read for people and programs; the hot writes are in `writers`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from skerry_api.domain.states import ATTEMPT_OPEN, RunStatus
from skerry_api.storage import statements, tables
from skerry_api.storage.databases import fetch_rows

Row = Mapping[Any, Any]


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a run, for whoever waits: `result` is JSON text, `error` has type, message and stack_trace."""

    run: str
    status: RunStatus
    error: Mapping[str, Any] | None
    result: str | None


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs to list; None does not restrict."""

    statuses: Sequence[str] | None = None
    tasks: Sequence[str] | None = None
    workflow: str | None = None
    workflow_ids: Sequence[str] | None = None
    version_ids: Sequence[str] | None = None
    task_ids: Sequence[str] | None = None
    tag: str | None = None
    root_run_ids: Sequence[str] | None = None
    parent_run_id: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    roots_only: bool = False
    tags: Sequence[str] | None = None


async def fetch_runs(connection: AsyncConnection, wanted: RunFilter, limit: int, before: str | None) -> list[Row]:
    """Runs, newest first; `before` is the id after which the last page ended."""
    statement = _filtered(select(tables.runs), wanted).order_by(tables.runs.c.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(tables.runs.c.id < before)
    return list((await connection.execute(statement)).mappings())


def _filtered(statement: Select[Any], wanted: RunFilter) -> Select[Any]:
    columns = tables.runs.c
    conditions: list[tuple[object, Callable[[], ColumnElement[bool]]]] = [
        (wanted.statuses, lambda: columns.status.in_(wanted.statuses or ())),
        (wanted.tasks, lambda: columns.task.in_(wanted.tasks or ())),
        (wanted.workflow, lambda: columns.workflow == wanted.workflow),
        (wanted.workflow_ids, lambda: columns.workflow_id.in_(wanted.workflow_ids or ())),
        (wanted.version_ids, lambda: columns.version_id.in_(wanted.version_ids or ())),
        (wanted.task_ids, lambda: columns.task_id.in_(wanted.task_ids or ())),
        (wanted.tag, lambda: columns.tags.contains([wanted.tag])),
        (wanted.tags, lambda: columns.tags.contains(list(wanted.tags or ()))),
        (wanted.root_run_ids, lambda: columns.root_run_id.in_(wanted.root_run_ids or ())),
        (wanted.parent_run_id, lambda: columns.parent_run_id == wanted.parent_run_id),
        (wanted.created_after, lambda: columns.created_at > wanted.created_after),
        (wanted.created_before, lambda: columns.created_at < wanted.created_before),
        (wanted.roots_only or None, lambda: columns.parent_run_id.is_(None)),
    ]
    for given, condition in conditions:
        if given is not None:
            statement = statement.where(condition())
    return statement


async def fetch_run(connection: AsyncConnection, run_id: str) -> Row | None:
    """One run, without its input and result."""
    found = await connection.execute(select(tables.runs).where(tables.runs.c.id == run_id))
    return found.mappings().first()


async def fetch_runs_by_id(connection: AsyncConnection, run_ids: Sequence[str]) -> list[Row]:
    """Several runs with their inputs and results, as `input` and `result` (JSON texts)."""
    statement = (
        select(tables.runs, tables.run_inputs.c.data.label("input"), tables.run_results.c.data.label("result"))
        .outerjoin(tables.run_inputs, tables.run_inputs.c.run_id == tables.runs.c.id)
        .outerjoin(tables.run_results, tables.run_results.c.run_id == tables.runs.c.id)
        .where(tables.runs.c.id.in_(run_ids))
    )
    return list((await connection.execute(statement)).mappings())


async def fetch_tree(connection: AsyncConnection, root_run_id: str, limit: int) -> list[Row]:
    """Every run of a tree, oldest first."""
    statement = select(tables.runs).where(tables.runs.c.root_run_id == root_run_id).order_by(tables.runs.c.id)
    return list((await connection.execute(statement.limit(limit))).mappings())


async def fetch_attempts(connection: AsyncConnection, run_ids: Sequence[str]) -> dict[str, list[Row]]:
    """The attempts of runs, in order, by run id."""
    statement = (
        select(tables.attempts)
        .where(tables.attempts.c.run_id.in_(run_ids))
        .order_by(tables.attempts.c.run_id, tables.attempts.c.number)
    )
    attempts: dict[str, list[Row]] = {}
    for row in (await connection.execute(statement)).mappings():
        attempts.setdefault(row["run_id"], []).append(row)
    return attempts


async def fetch_attempt(connection: AsyncConnection, attempt_id: str) -> Row | None:
    """One attempt."""
    found = await connection.execute(select(tables.attempts).where(tables.attempts.c.id == attempt_id))
    return found.mappings().first()


async def fetch_run_by_key(connection: AsyncConnection, workflow_id: str, idempotency_key: str) -> Row | None:
    """The run that took this idempotency key."""
    found = await connection.execute(
        select(tables.runs).where(
            tables.runs.c.workflow_id == workflow_id, tables.runs.c.idempotency_key == idempotency_key
        )
    )
    return found.mappings().first()


async def fetch_child(connection: AsyncConnection, parent: str, parent_attempt: int, call: str) -> Row | None:
    """The child that a call of a parent's attempt made."""
    found = await connection.execute(
        select(tables.runs).where(
            tables.runs.c.parent_run_id == parent,
            tables.runs.c.parent_attempt == parent_attempt,
            tables.runs.c.call_key == call,
        )
    )
    return found.mappings().first()


async def fetch_children(connection: AsyncConnection, parent: str, parent_attempt: int) -> list[str]:
    """The ids of the children that one attempt of a run made."""
    found = await connection.execute(
        select(tables.runs.c.id).where(
            tables.runs.c.parent_run_id == parent, tables.runs.c.parent_attempt == parent_attempt
        )
    )
    return [row[0] for row in found]


async def fetch_input(connection: AsyncConnection, run_id: str) -> str | None:
    """A run's arguments, as JSON text."""
    found = await connection.execute(select(tables.run_inputs.c.data).where(tables.run_inputs.c.run_id == run_id))
    return found.scalar_one_or_none()


async def insert_result(connection: AsyncConnection, run_id: str, data: str) -> None:
    """Keep a large result ahead of the completion that will make it count."""
    statement = upsert(tables.run_results).values(run_id=run_id, data=data)
    await connection.execute(statement.on_conflict_do_update(index_elements=["run_id"], set_={"data": data}))


async def fetch_finished(connection: AsyncConnection, run_ids: Sequence[str]) -> list[Finished]:
    """Those of `run_ids` that are over."""
    rows = await fetch_rows(connection, statements.FINISHED, (list(run_ids),))
    return [Finished(row[0], RunStatus(row[1]), row[2], row[3]) for row in rows]


async def delete_expired_runs(connection: AsyncConnection, limit: int) -> int:
    """Remove whole trees whose root ended longer ago than its workflow retains runs; answers how many roots went.

    Ids are ordered by time, so the oldest roots come first; what is still open stays, and is passed over.
    """
    expired = await connection.execute(
        text("""
            SELECT r.id FROM runs r LEFT JOIN workflows w ON w.id = r.workflow_id
            WHERE r.parent_run_id IS NULL AND r.completed_at < now() - coalesce(w.retention_days, 30) * interval '1 day'
            ORDER BY r.id LIMIT :limit
        """),
        {"limit": limit},
    )
    roots = [row[0] for row in expired]
    if roots:
        trees = select(tables.runs.c.id).where(tables.runs.c.root_run_id.in_(roots))
        for table in (tables.run_inputs, tables.run_results, tables.attempts):
            await connection.execute(delete(table).where(table.c.run_id.in_(trees)))
        await connection.execute(delete(tables.runs).where(tables.runs.c.root_run_id.in_(roots)))
    return len(roots)


async def count_open_runs(connection: AsyncConnection) -> list[tuple[str, str, int]]:
    """How many runs are in each state that is not terminal, by workflow."""
    statement = (
        select(tables.runs.c.workflow, tables.runs.c.status, func.count())
        .join(tables.attempts, tables.attempts.c.run_id == tables.runs.c.id)
        .where(tables.attempts.c.status.in_(ATTEMPT_OPEN))
        .group_by(tables.runs.c.workflow, tables.runs.c.status)
    )
    return [(row[0], row[1], row[2]) for row in await connection.execute(statement)]


async def measure_queue(connection: AsyncConnection) -> list[tuple[str, int, float]]:
    """By pool: how many attempts wait for a runner though their moment has come, and for how many seconds the oldest."""
    age = func.extract("epoch", func.now() - func.min(tables.attempts.c.ready_at))
    statement = (
        select(tables.attempts.c.pool, func.count(), age)
        .where(tables.attempts.c.status == "queued", tables.attempts.c.ready_at <= func.now())
        .group_by(tables.attempts.c.pool)
    )
    return [(row[0], row[1], float(row[2])) for row in await connection.execute(statement)]


async def fetch_workflows_of(connection: AsyncConnection, run_ids: Sequence[str]) -> dict[str, str]:
    """The workflows (slugs) of those of `run_ids` that exist."""
    found = await connection.execute(
        select(tables.runs.c.id, tables.runs.c.workflow).where(tables.runs.c.id.in_(run_ids))
    )
    return {row[0]: row[1] for row in found}
