"""Which queued attempts get containers next, as a table; and that finding them does not read the whole queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from skerry_api.storage import launches, runners
from skerry_api.storage.databases import Database, plan_anew

MOST = 10


@dataclass(frozen=True)
class Queued:
    """Attempts of one pool; a pool is named `<workflow>-<plan>`."""

    pool: str
    number: int
    priority: int = 0
    status: str = "queued"
    delayed: bool = False
    waiting: bool = False
    lane: str = ""

    @property
    def workflow(self) -> str:
        return self.pool.partition("-")[0]


@dataclass(frozen=True)
class Case:
    """What is queued, in the order in which it was triggered, and how many of each pool are launched."""

    what: str
    queue: tuple[Queued, ...]
    launched: dict[str, int]
    limits: dict[str, int] | None = None
    lanes: dict[str, int] | None = None
    local: tuple[str, ...] = ()


CASES = [
    Case("nothing", (), {}),
    Case("alone, a pool has all places", (Queued("a-s", 30),), {"a-s": 10}),
    Case(
        "a pool that was first leaves others their share", (Queued("a-s", 30), Queued("b-s", 30)), {"a-s": 5, "b-s": 5}
    ),
    Case("what one does not need, others have", (Queued("a-s", 30), Queued("b-s", 2)), {"a-s": 8, "b-s": 2}),
    Case("two plans of one workflow are two pools", (Queued("a-s", 30), Queued("a-p", 30)), {"a-s": 5, "a-p": 5}),
    Case(
        "beyond the shares, the highest priority is first",
        (Queued("a-s", 30), Queued("b-s", 30, priority=9), Queued("c-s", 2)),
        {"a-s": 3, "b-s": 5, "c-s": 2},
    ),
    Case(
        "a high priority does not take the share of a low one",
        (Queued("a-s", 30, priority=9), Queued("b-s", 30)),
        {"a-s": 5, "b-s": 5},
    ),
    Case(
        "more pools than places",
        tuple(Queued(f"w{n:02}-s", 3) for n in range(12)),
        {f"w{n:02}-s": 1 for n in range(10)},
    ),
    Case("as many as a limit allows", (Queued("a-s", 30), Queued("b-s", 30)), {"a-s": 2, "b-s": 8}, limits={"a": 2}),
    Case(
        "what is live counts, what only waits for children does not",
        (
            Queued("a-s", 2, status="running"),
            Queued("a-s", 1, status="starting"),
            Queued("a-s", 4, status="running", waiting=True),
            Queued("a-s", 30),
        ),
        {"a-s": 2},
        limits={"a": 5},
    ),
    Case(
        "nothing while a limit is reached", (Queued("a-s", 3, status="running"), Queued("a-s", 9)), {}, limits={"a": 2}
    ),
    Case(
        "a limit is used by priority, whatever the plan",
        (Queued("a-s", 9, priority=1), Queued("a-p", 9, priority=5)),
        {"a-p": 3},
        limits={"a": 3},
    ),
    Case(
        "a task's limit holds for the task alone",
        (Queued("a-s", 30, lane="scarce"), Queued("a-s", 30)),
        {"a-s": 5},
        limits={"a": 5},
        lanes={"scarce": 2},
    ),
    Case(
        "a task at its limit leaves the places to others",
        (
            Queued("a-s", 30, lane="scarce", priority=9),
            Queued("a-s", 2, lane="scarce", status="running"),
            Queued("a-s", 3),
        ),
        {"a-s": 3},
        lanes={"scarce": 2},
    ),
    Case(
        "a task's limit is one for all plans",
        (Queued("a-s", 9, lane="scarce", priority=1), Queued("a-p", 9, lane="scarce", priority=5)),
        {"a-p": 2},
        lanes={"scarce": 2},
    ),
    Case("delayed attempts wait", (Queued("a-s", 30, priority=9, delayed=True), Queued("a-s", 4)), {"a-s": 4}),
    Case("local runners take their own", (Queued("a-s", 30), Queued("b-s", 4)), {"b-s": 4}, local=("a",)),
]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


def pool_version(entry: Queued) -> str:
    return entry.pool[:24]


async def fill(connection: AsyncConnection, case: Case) -> None:
    for workflow in {entry.workflow for entry in case.queue}:
        isolation = "process" if workflow in case.local else "container"
        values = {"id": workflow, "isolation": isolation, "limit": (case.limits or {}).get(workflow)}
        await connection.execute(
            text(
                "INSERT INTO workflows (id, slug, name, isolation, concurrency_limit) VALUES (:id,:id,:id,:isolation,:limit)"
            ),
            values,
        )
    for name, most in (case.lanes or {}).items():
        for version in {pool_version(entry) for entry in case.queue}:
            await connection.execute(
                text("INSERT INTO versions (id, workflow_id, name, status) VALUES (:version, 'a', :version, 'ready')"),
                {"version": version},
            )
            await connection.execute(
                text("""
                    INSERT INTO tasks (id, workflow_id, version_id, name, retry, timeout_ms, plan, concurrency_limit)
                    VALUES ('tsk-' || :version, 'a', :version, :name, '{}', 1000, 'standard', :most)
                """),
                {"version": version, "name": name, "most": most},
            )
    for turn, entry in enumerate(case.queue):
        values = {**vars(entry), "workflow": entry.workflow, "turn": turn}
        await connection.execute(
            text("""
                INSERT INTO attempts (
                    id, run_id, number, token, status, workflow_id, pool, priority, waiting, lane, runner_id, ready_at)
                SELECT run || '-1', run, 1, 'token', :status, :workflow, :pool, :priority, :waiting, :lane, 'rnr-1',
                    now() + CASE WHEN :delayed THEN interval '1 hour'
                        ELSE (60000 * :turn + i) * interval '1 ms' - interval '1 hour' END
                FROM (SELECT i, 'trn-' || lpad((:turn)::text, 2, '0') || '-' || lpad(i::text, 6, '0') AS run
                    FROM generate_series(1, :number) AS i) made
            """),
            values,
        )
    await connection.execute(text("UPDATE attempts SET turn_at = ready_at"))
    await connection.execute(
        text("""
            INSERT INTO runs (id, workflow_id, version_id, task_id, workflow, task, status, root_run_id, plan, timeout_ms,
                max_retries, retry_wait_ms, retry_factor)
            SELECT run_id, workflow_id, 'wfv-1', 'tsk-1', workflow_id, 'build', 'pending', run_id, 'standard', 60000, 0, 1, 1
            FROM attempts
        """)
    )


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
async def test_places_are_shared(database: Database, case: Case) -> None:
    async with database.transaction() as connection:
        await fill(connection, case)
        await plan_anew(connection)
        found = await launches.fetch_launchable(connection, MOST)
    assert Counter(launch.pool for launch in found) == case.launched


async def test_they_come_in_the_order_of_the_queue(database: Database) -> None:
    queue = (Queued("a-s", 2), Queued("b-s", 2, priority=3), Queued("a-s", 2, priority=3), Queued("b-s", 2))
    async with database.transaction() as connection:
        await fill(connection, Case("", queue, {}))
        found = await launches.fetch_launchable(connection, MOST)
    order = [(1, 1), (1, 2), (2, 1), (2, 2), (0, 1), (0, 2), (3, 1), (3, 2)]
    assert [launch.run for launch in found] == [f"trn-{turn:02}-{number:06}" for turn, number in order]


async def test_a_long_queue_costs_no_more_than_a_short_one(database: Database) -> None:
    queue = (
        Queued("a-s", 5000),
        Queued("a-s", 5000, priority=9, delayed=True),
        Queued("b-s", 5000, priority=5),
        Queued("c-s", 10),
    )
    async with database.transaction() as connection:
        await fill(connection, Case("", queue, {}))
        await plan_anew(connection)
        explained = await connection.exec_driver_sql(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {launches.LAUNCHABLE}", {"most": MOST}
        )
        (plan,) = explained.scalar_one()
    read = sum(
        node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        for node in nodes(plan["Plan"])
        if node.get("Relation Name") == "attempts"
    )
    assert read < 10 * MOST, "it must stop where the last place is given away"


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for part in plan.get("Plans", ()) for node in nodes(part))]


async def test_adopted_work_queues_by_the_limits_of_the_version_that_adopts_it(database: Database) -> None:
    queue = (Queued("a-old", 2, lane="build"), Queued("a-new", 1, lane="build"), Queued("a-free", 1))
    lanes = text("SELECT lane, count(*) FROM attempts WHERE pool = :pool GROUP BY lane")
    async with database.transaction() as connection:
        await fill(connection, Case("", queue, {}, lanes={"build": 2}))
        await connection.execute(text("UPDATE tasks SET concurrency_limit = NULL WHERE version_id = 'a-free'"))
        await runners.adopt_queued(connection, "a", "a-free", ["a-new"])
        assert dict((await connection.execute(lanes, {"pool": "a-free"})).all()) == {"": 3}
        await runners.adopt_queued(connection, "a", "a-new", [])
        assert dict((await connection.execute(lanes, {"pool": "a-new"})).all()) == {"build": 4}
