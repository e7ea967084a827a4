"""Pools of waiting runners: how many there are and should be, and what decides it – which runs came lately."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from skerry_api.storage import tables
from skerry_api.storage.databases import fetch_rows

Row = Mapping[Any, Any]

_WRITE = """
INSERT INTO pools (name, workflow_id, version_id, plan, wanted, why, idle, starting, claimed, excess)
SELECT name, workflow_id, version_id, plan, wanted, why, idle, starting, claimed, excess
FROM json_to_recordset(%s::json) AS x (
    name text, workflow_id text, version_id text, plan text, wanted integer, why text, idle integer, starting integer,
    claimed integer, excess integer)
ON CONFLICT (name) DO UPDATE SET wanted = excluded.wanted, why = excluded.why, idle = excluded.idle,
    starting = excluded.starting, claimed = excluded.claimed, excess = excluded.excess, updated_at = now()
"""

# Replicas share what is to be dismissed: each takes as much as it has waiting runners for.
_TAKE_EXCESS = """
WITH mine AS (
    SELECT * FROM json_to_recordset(%s::json) AS x (name text, idle integer)
), taken AS (
    SELECT p.name, least(p.excess, mine.idle) AS count FROM pools p JOIN mine USING (name)
    WHERE p.excess > 0 ORDER BY p.name FOR UPDATE OF p
)
UPDATE pools p SET excess = p.excess - taken.count FROM taken WHERE p.name = taken.name
RETURNING p.name, taken.count
"""

# First attempts of runs triggered since a moment, second by second. Run ids begin with their second, so that the primary key
# finds the newest; what is read begins earlier than what is counted, because clocks of processes differ.
_ARRIVALS = """
SELECT pool, floor(extract(epoch FROM queued_at))::float8, count(*)
FROM attempts WHERE id >= %(first_id)s AND queued_at >= to_timestamp(%(since)s) AND number = 1
GROUP BY 1, 2
"""

# Attempts that are ready or under way, of some pools; each half reads an index of live attempts only.
_LOADS = """
SELECT name, (SELECT count(*) FROM attempts WHERE status = 'queued' AND pool = name AND ready_at <= now())
    + (SELECT count(*) FROM attempts WHERE status IN ('starting', 'running') AND NOT waiting AND pool = name)
FROM unnest(%s::text[]) AS name
"""

# Pools with queued attempts of versions whose runners take many runs: nothing else would make their first runner.
_SHARED_QUEUES = """
WITH RECURSIVE line AS (
    (SELECT pool, run_id FROM attempts WHERE status = 'queued' ORDER BY pool LIMIT 1)
    UNION ALL
    SELECT further.* FROM line CROSS JOIN LATERAL (
        SELECT pool, run_id FROM attempts WHERE status = 'queued' AND pool > line.pool ORDER BY pool LIMIT 1) further
)
SELECT line.pool, r.workflow, r.version_id, r.plan
FROM line JOIN runs r ON r.id = line.run_id JOIN versions v ON v.id = r.version_id
WHERE v.source ->> 'isolation' = 'process'
"""

# The children that tasks had the last time they ran, times the runs of them that were triggered since a moment.
_CHILDREN = """
SELECT p.version_id, c.plan, sum(p.runs)::bigint
FROM (
    SELECT workflow_id, version_id, task, count(*) AS runs FROM runs
    WHERE id >= %(first_id)s AND created_at >= to_timestamp(%(since)s) GROUP BY 1, 2, 3
) p
CROSS JOIN LATERAL (
    SELECT id FROM runs r WHERE r.workflow_id = p.workflow_id AND r.task = p.task AND r.completed_at IS NOT NULL
    ORDER BY r.id DESC LIMIT 1) last
JOIN runs c ON c.parent_run_id = last.id
GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class PoolRecord:
    """A pool as the replica that leads sees it.

    Attributes:
        wanted: how many runners should wait.
        why: what decided that, in words.
        idle: how many wait; `starting`: how many are on their way; `claimed`: how many have a run.
        excess: how many of those that wait should leave.
    """

    name: str
    workflow_id: str
    version_id: str
    plan: str
    wanted: int
    why: str
    idle: int
    starting: int
    claimed: int
    excess: int


async def write_pools(connection: AsyncConnection, records: Sequence[PoolRecord]) -> None:
    """Record pools."""
    rows = [asdict(record) for record in sorted(records, key=lambda record: record.name)]
    await connection.exec_driver_sql(_WRITE, (json.dumps(rows),))


async def delete_pools(connection: AsyncConnection, kept: Sequence[str]) -> None:
    """Forget all pools but those `kept`."""
    await connection.execute(delete(tables.pools).where(tables.pools.c.name.not_in(kept)))


async def fetch_pools(connection: AsyncConnection) -> list[Row]:
    """All pools, with their workflows' slugs."""
    query = (
        select(tables.pools, tables.workflows.c.slug.label("workflow"))
        .join(tables.workflows, tables.workflows.c.id == tables.pools.c.workflow_id)
        .order_by(tables.workflows.c.slug, tables.pools.c.version_id.desc(), tables.pools.c.plan)
    )
    return list((await connection.execute(query)).mappings())


async def take_excess(connection: AsyncConnection, idle: Mapping[str, int]) -> dict[str, int]:
    """How many of this replica's waiting runners (`idle`, by pool) it should dismiss: nobody else will count these again."""
    rows = [{"name": name, "idle": count} for name, count in sorted(idle.items())]
    return {row[0]: row[1] for row in await fetch_rows(connection, _TAKE_EXCESS, (json.dumps(rows),))}


async def fetch_arrivals(connection: AsyncConnection, since: float, first_id: str) -> list[tuple[str, float, int]]:
    """Runs triggered since a moment: pool, second and number. `first_id` is a run id from a little before."""
    rows = await fetch_rows(connection, _ARRIVALS, {"since": since, "first_id": first_id})
    return [(row[0], row[1], row[2]) for row in rows]


@dataclass(frozen=True, slots=True)
class SharedQueue:
    """A pool with queued attempts whose runners take many runs."""

    pool: str
    workflow: str
    version_id: str
    plan: str


async def fetch_shared_queues(connection: AsyncConnection) -> list[SharedQueue]:
    """Pools with queued attempts whose runners take many runs."""
    return [SharedQueue(*row) for row in await fetch_rows(connection, _SHARED_QUEUES, ())]


async def fetch_loads(connection: AsyncConnection, names: Sequence[str]) -> dict[str, int]:
    """How many attempts of these pools are ready or under way, not counting those that only wait."""
    return {row[0]: row[1] for row in await fetch_rows(connection, _LOADS, (list(names),))}


async def fetch_children(connection: AsyncConnection, since: float, first_id: str) -> list[tuple[str, str, int]]:
    """Versions, plans, and how many runs of them will probably follow from what was triggered since a moment."""
    rows = await fetch_rows(connection, _CHILDREN, {"since": since, "first_id": first_id})
    return [(row[0], row[1], row[2]) for row in rows]
