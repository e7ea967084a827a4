"""Attempts that need a container of their own, as an executor sees them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from skerry_api.domain.states import RunStatus
from skerry_api.storage import statements, tables
from skerry_api.storage.assignments import Assignment, assignment_from
from skerry_api.storage.databases import fetch_rows

_LAUNCH = """
SELECT t.id, t.run_id, t.number, t.status, t.pool, r.workflow, r.version_id, r.task, r.plan, r.timeout_ms,
    extract(epoch FROM greatest(t.queued_at, t.ready_at))::float8, extract(epoch FROM now() - t.queued_at)::float8,
    CASE WHEN t.adopt_at IS NOT NULL THEN t.pod_name END
"""

# Queued attempts of pools with a container for each (a pool's name begins with its version's id, and the version knows), of a
# workflow or task with a concurrency limit only as many as may be live beside those that are. Each pool has an equal share of
# the places, so that one whose Pods fit no node cannot take them all; what a pool does not need goes to the others in the order
# of the queue. However long the queue is, only its first rows are read: lane by lane of each pool (`line` jumps from one to the
# next), and within a lane one priority after the other, because what is delayed stands before what is ready and less urgent.
LAUNCHABLE = (
    """
WITH RECURSIVE line AS (
    (SELECT pool, lane, workflow_id FROM attempts WHERE status = 'queued' ORDER BY pool, lane LIMIT 1)
    UNION ALL
    SELECT further.* FROM line CROSS JOIN LATERAL (
        SELECT pool, lane, workflow_id FROM attempts
        WHERE status = 'queued' AND (pool, lane) > (line.pool, line.lane) ORDER BY pool, lane LIMIT 1) further
), ready AS (
    SELECT w.id AS workflow_id, w.concurrency_limit, k.concurrency_limit AS lane_limit, queued.*
    FROM line JOIN workflows w ON w.id = line.workflow_id AND w.isolation = 'container'
        AND NOT EXISTS (SELECT FROM versions v WHERE v.id = left(line.pool, 24) AND v.source ->> 'isolation' = 'process')
    LEFT JOIN tasks k ON line.lane <> '' AND k.version_id = left(line.pool, 24) AND k.name = line.lane
    CROSS JOIN LATERAL (
        SELECT level_queued.*
        FROM (SELECT level FROM generate_series(9, 0, -1) AS level ORDER BY level DESC) AS levels
        CROSS JOIN LATERAL (
            SELECT id, pool, lane, priority, turn_at FROM attempts
            WHERE status = 'queued' AND pool = line.pool AND lane = line.lane AND priority = level AND ready_at <= now()
                AND turn_at <= now() + interval '10 minutes'
            ORDER BY turn_at, id LIMIT %(most)s) level_queued
        ORDER BY level DESC, turn_at, id LIMIT %(most)s) queued
), live AS (
    SELECT workflow_id, lane, count(*) AS number FROM attempts
    WHERE status IN ('starting', 'running') AND NOT waiting
        AND workflow_id IN (SELECT workflow_id FROM ready WHERE concurrency_limit IS NOT NULL OR lane_limit IS NOT NULL)
    GROUP BY workflow_id, lane
), in_lane AS (
    SELECT lanes.* FROM (
        SELECT *, row_number() OVER (PARTITION BY workflow_id, lane ORDER BY priority DESC, turn_at, id) AS lane_turn FROM ready
    ) lanes LEFT JOIN live USING (workflow_id, lane)
    WHERE lane_limit IS NULL OR lane_turn <= lane_limit - coalesce(live.number, 0)
), allowed AS (
    SELECT turns.*, row_number() OVER (PARTITION BY pool ORDER BY priority DESC, turn_at, id) AS place
    FROM (
        SELECT *, row_number() OVER (PARTITION BY workflow_id ORDER BY priority DESC, turn_at, id) AS turn FROM in_lane
    ) turns
    WHERE concurrency_limit IS NULL OR turn <= concurrency_limit
        - (SELECT coalesce(sum(number), 0) FROM live WHERE live.workflow_id = turns.workflow_id)
), a AS (
    SELECT id, priority, turn_at FROM allowed
    ORDER BY place <= (SELECT greatest(1, %(most)s / count(DISTINCT pool)) FROM allowed) DESC, priority DESC, turn_at, id
    LIMIT %(most)s
)"""  # noqa: S608  # put together from constants of this file
    + _LAUNCH
    + """FROM a JOIN attempts t ON t.id = a.id JOIN runs r ON r.id = t.run_id ORDER BY a.priority DESC, a.turn_at, a.id
"""
)

OPEN_LAUNCHES = (
    _LAUNCH
    + """FROM attempts t JOIN runs r ON r.id = t.run_id
WHERE t.run_id = ANY(%s) AND t.status IN ('queued', 'starting', 'running')
"""
)

# Attempts that waiting Pods took and whose TaskRuns do not say so yet, over or not, the oldest first.
ADOPTABLE = (
    _LAUNCH
    + """FROM attempts t JOIN runs r ON r.id = t.run_id WHERE t.adopt_at IS NOT NULL ORDER BY t.adopt_at LIMIT %s
"""
)

NOTE_ADOPTIONS = "UPDATE attempts SET adopt_at = NULL WHERE id = ANY(%s) AND adopt_at IS NOT NULL"

# Where attempts run, as the cluster tells; a row is written only when that says something new of it. Of one that a waiting
# Pod took, the cluster may still show the Pod that was made for it.
NOTE_PLACES = """
UPDATE attempts a SET pod_name = x.pod_name, node = coalesce(x.node, a.node)
FROM json_to_recordset(%s::json) AS x (attempt text, pod_name text, node text)
WHERE a.id = x.attempt AND a.adopt_at IS NULL AND (a.pod_name, a.node) IS DISTINCT FROM (x.pod_name, coalesce(x.node, a.node))
"""


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
    # In epoch seconds: from when on it could have been launched.
    ready_at: float = 0.0
    # For how many seconds it has been there.
    age_seconds: float = field(default=0.0, compare=False)
    # The waiting Pod that took it, as long as its TaskRun does not say so.
    adopting: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where an attempt runs, or is about to."""

    attempt: str
    pod: str
    node: str | None


async def fetch_launchable(connection: AsyncConnection, limit: int) -> list[Launch]:
    """The queued attempts that should have a container now: `limit` of them, shared among pools, within workflows' limits."""
    return [_launch(row) for row in await fetch_rows(connection, LAUNCHABLE, {"most": limit})]


async def fetch_adoptable(connection: AsyncConnection, limit: int) -> list[Launch]:
    """Attempts that waiting Pods took and whose TaskRuns do not say so yet: the `limit` oldest, over or not."""
    return [_launch(row) for row in await fetch_rows(connection, ADOPTABLE, (limit,))]


async def note_adoptions(connection: AsyncConnection, attempts: Sequence[str]) -> None:
    """The TaskRuns of these attempts say which Pods took them."""
    await connection.exec_driver_sql(NOTE_ADOPTIONS, (list(attempts),))


async def fetch_open(connection: AsyncConnection, runs: Sequence[str]) -> dict[str, Launch]:
    """The open attempts of `runs`, by run; a run that is over, or unknown, has none."""
    launches = [_launch(row) for row in await fetch_rows(connection, OPEN_LAUNCHES, (list(runs),))]
    return {launch.run: launch for launch in launches}


async def fetch_canceled(connection: AsyncConnection, runs: Sequence[str]) -> frozenset[str]:
    """Those of `runs` that were canceled."""
    found = select(tables.runs.c.id).where(tables.runs.c.id.in_(runs), tables.runs.c.status == RunStatus.CANCELED)
    return frozenset((await connection.execute(found)).scalars())


async def claim_attempt(
    connection: AsyncConnection,
    attempt: str,
    runner_id: str,
    *,
    pod: str | None,
    node: str | None,
    start_ms: int,
    inline_bytes: int,
) -> Assignment | None:
    """Give a queued attempt to the runner that was started for it; None when it is not queued any more."""
    parameters = {
        "attempt": attempt,
        "runner": runner_id,
        "pod": pod,
        "node": node,
        "start_ms": start_ms,
        "inline_bytes": inline_bytes,
    }
    rows = await fetch_rows(connection, statements.CLAIM_ATTEMPT, parameters)
    return assignment_from(rows[0]) if rows else None


async def note_places(connection: AsyncConnection, places: Sequence[Place]) -> int:
    """Record where attempts run; answers of how many that was news."""
    rows = [
        {"attempt": place.attempt, "pod_name": place.pod, "node": place.node}
        for place in sorted(places, key=lambda place: place.attempt)
    ]
    return (await connection.exec_driver_sql(NOTE_PLACES, (json.dumps(rows),))).rowcount


async def fetch_source(connection: AsyncConnection, version_id: str) -> Mapping[str, Any] | None:
    """What a version was released from."""
    found = await connection.execute(select(tables.versions.c.source).where(tables.versions.c.id == version_id))
    source: Mapping[str, Any] | None = found.scalar_one_or_none()
    return source


def _launch(row: Sequence[Any]) -> Launch:
    attempt, run, number, status, pool, workflow, version_id, task, plan, timeout_ms, ready_at, age, adopting = row
    return Launch(
        attempt, run, number, status, pool, workflow, version_id, task, plan, timeout_ms / 1000, ready_at, age, adopting
    )
