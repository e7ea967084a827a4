"""For how many seconds Pods waited for work: a row for each workflow, plan and hour in which any did."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from skerry_api.storage import tables
from skerry_api.storage.databases import fetch_rows

Row = Mapping[Any, Any]

_warm = tables.warm_usages.c

_ADD = """
INSERT INTO warm_usages (workflow_id, plan, hour, seconds)
SELECT workflow_id, plan, to_timestamp(hour), seconds
FROM json_to_recordset(%s::json) AS x (workflow_id text, plan text, hour float8, seconds float8)
ON CONFLICT (workflow_id, plan, hour) DO UPDATE SET seconds = warm_usages.seconds + excluded.seconds
"""

_WORKING = """
SELECT pool, count(DISTINCT runner_id) FROM attempts
WHERE status IN ('starting', 'running') AND pool = ANY(%s::text[]) GROUP BY pool
"""

_EXPIRE = """
DELETE FROM warm_usages WHERE hour < now() - interval '1 day' * coalesce(
    (SELECT retention_days FROM workflows w WHERE w.id = warm_usages.workflow_id), 30)
"""


@dataclass(frozen=True, slots=True, order=True)
class WarmUsage:
    """Pod-seconds that Pods of a workflow and plan waited in an hour.

    Attributes:
        hour: its beginning, in seconds since 1970.
    """

    workflow_id: str
    plan: str
    hour: int
    seconds: float


async def add_warm_usages(connection: AsyncConnection, fresh: Sequence[WarmUsage]) -> None:
    """Add seconds to those that are recorded."""
    # Sorted, so that two replicas that write at once do not wait for each other in a circle.
    rows = [asdict(usage) for usage in sorted(fresh)]
    await connection.exec_driver_sql(_ADD, (json.dumps(rows),))


async def fetch_working(connection: AsyncConnection, pools: Sequence[str]) -> dict[str, int]:
    """How many runners of these pools have an attempt; pools in which none has are left out."""
    return {row[0]: row[1] for row in await fetch_rows(connection, _WORKING, (list(pools),))}


async def fetch_warm_usages(
    connection: AsyncConnection, start: datetime, end: datetime, workflows: Sequence[str] | None = None
) -> list[Row]:
    """Per workflow (by slug) and plan, of the whole hours that overlap with the time from `start` to `end`.

    Columns: workflow, plan, seconds. Workflows that were deleted are left out.
    """
    if start >= end:
        return []
    slug = tables.workflows.c.slug
    statement = (
        select(slug.label("workflow"), _warm.plan, func.sum(_warm.seconds).label("seconds"))
        .select_from(tables.warm_usages.join(tables.workflows, tables.workflows.c.id == _warm.workflow_id))
        # The hour moves and not `start`, which may be the earliest moment there is.
        .where(_warm.hour + text("interval '1 hour'") > start, _warm.hour < end)
        .group_by(slug, _warm.plan)
        .order_by(slug, _warm.plan)
    )
    if workflows is not None:
        statement = statement.where(slug.in_(workflows))
    return list((await connection.execute(statement)).mappings())


async def delete_expired_warm_usages(connection: AsyncConnection) -> None:
    """Remove hours from longer ago than their workflow retains runs."""
    await connection.exec_driver_sql(_EXPIRE)
