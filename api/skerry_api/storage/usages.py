"""What runs have used, and how many there were: aggregates for people and charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Double, cast, func, literal, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from skerry_api.storage import tables

Row = Mapping[Any, Any]

_runs = tables.runs.c
_attempts = tables.attempts.c


async def fetch_usage(
    connection: AsyncConnection, start: datetime, end: datetime, workflows: Sequence[str] | None = None
) -> list[Row]:
    """Per task and plan, of attempts that ended from `start` on and before `end`.

    Columns: workflow, task, plan, runs, attempts, seconds (running time), cpu_seconds, max_rss_bytes (the highest).
    """
    running = func.extract("epoch", _attempts.completed_at - _attempts.started_at)
    statement = (
        select(
            _runs.workflow,
            _runs.task,
            _runs.plan,
            func.count(_runs.id.distinct()).label("runs"),
            func.count().label("attempts"),
            cast(func.coalesce(func.sum(running), 0), Double).label("seconds"),
            func.coalesce(func.sum(_attempts.usage["cpu_seconds"].as_float()), 0.0).label("cpu_seconds"),
            func.max(_attempts.usage["max_rss_bytes"].as_float()).label("max_rss_bytes"),
        )
        .select_from(tables.attempts.join(tables.runs, _runs.id == _attempts.run_id))
        .where(_attempts.completed_at >= start, _attempts.completed_at < end)
        .group_by(_runs.workflow, _runs.task, _runs.plan)
        .order_by(_runs.workflow, _runs.task, _runs.plan)
    )
    if workflows is not None:
        statement = statement.where(_runs.workflow.in_(workflows))
    return list((await connection.execute(statement)).mappings())


async def fetch_completed_series(
    connection: AsyncConnection,
    start: datetime,
    end: datetime,
    resolution_seconds: int,
    tasks: Sequence[str] | None,
    workflow: str | None,
) -> list[Row]:
    """How many runs ended in each stretch of time, by task and status: moment, task_id, workflow, task, status, count."""
    moment = func.date_bin(text(f"interval '{int(resolution_seconds)} seconds'"), _runs.completed_at, literal(start))
    statement = (
        select(moment.label("moment"), _runs.workflow, _runs.task, _runs.status, func.count().label("count"))
        .where(_runs.completed_at >= start, _runs.completed_at < end)
        .group_by(moment, _runs.workflow, _runs.task, _runs.status)
        .order_by(moment)
    )
    return await _restricted(connection, statement, tasks, workflow)


async def fetch_queued_series(
    connection: AsyncConnection,
    start: datetime,
    end: datetime,
    resolution_seconds: int,
    tasks: Sequence[str] | None,
    workflow: str | None,
) -> list[Row]:
    """How many runs waited for their start at each moment, by task: moment, workflow, task, count."""
    step = text(f"interval '{int(resolution_seconds)} seconds'")
    moments = select(func.generate_series(literal(start), literal(end), step).label("moment")).subquery()
    moment = moments.c.moment
    statement = (
        select(moment, _runs.workflow, _runs.task, func.count().label("count"))
        .join(
            tables.runs,
            (_runs.ready_at <= moment)
            & (func.coalesce(_runs.started_at, _runs.completed_at, func.now() + text("interval '1 second'")) > moment),
        )
        .where(moment <= func.now())
        # A run that waited within the stretch was not over before it.
        .where(func.coalesce(_runs.completed_at, func.now()) >= start, _runs.created_at <= end)
        .group_by(moment, _runs.workflow, _runs.task)
        .order_by(moment)
    )
    return await _restricted(connection, statement, tasks, workflow)


async def _restricted(
    connection: AsyncConnection, statement: Any, tasks: Sequence[str] | None, workflow: str | None
) -> list[Row]:
    if tasks is not None:
        statement = statement.where((_runs.workflow + "/" + _runs.task).in_(tasks))
    if workflow is not None:
        statement = statement.where(_runs.workflow == workflow)
    return list((await connection.execute(statement)).mappings())
