"""How long Pods waited: counted between looks, recorded in a real PostgreSQL, kept while that is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from skerry_api.domain.errors import Unavailable
from skerry_api.domain.pools import WarmPolicy
from skerry_api.engine.engines import Engine
from skerry_api.executors.kubernetes.executors import KubernetesExecutor
from skerry_api.executors.kubernetes.metrics import Metrics
from skerry_api.executors.kubernetes.templates import PodDefaults
from skerry_api.executors.kubernetes.warm_usages import WarmUsages
from skerry_api.storage import warm_usages
from skerry_api.storage.warm_usages import WarmUsage
from tests.integration.engine.test_launches import metric
from tests.integration.engine.test_pods import Pod, engine, trigger
from tests.integration.operator.clusters import NAMESPACE
from tests.integration.operator.conftest import World, world
from tests.unit.kubernetes.test_warm_usages import pool

__all__ = ["engine"]

HOUR = datetime(2026, 11, 22, 21, tzinfo=UTC)
READY = {"wfv-1": {"workflow_id": "wfl-1", "status": "ready"}}


@pytest.fixture(name="world")
async def world_fixture() -> AsyncIterator[World]:
    async with world() as made:
        yield made


def usage(workflow_id: str, seconds: float, hours: int = 0, plan: str = "standard") -> WarmUsage:
    """Waiting so many hours after `HOUR`."""
    return WarmUsage(workflow_id, plan, int(HOUR.timestamp()) + 3600 * hours, seconds)


async def add(engine: Engine, *fresh: WarmUsage) -> None:
    async with engine.database.autocommit() as connection:
        await warm_usages.add_warm_usages(connection, fresh)


async def recorded(engine: Engine) -> float:
    async with engine.database.autocommit() as connection:
        found = await connection.execute(text("SELECT coalesce(sum(seconds), 0) FROM warm_usages"))
        return float(found.scalar_one())


async def test_seconds_add_up_and_are_read_by_whole_hours(engine: Engine) -> None:
    shop, mill = engine.registry.workflow("shop")["id"], (await engine.registry.create_workflow("mill"))["id"]
    await asyncio.gather(
        add(engine, usage(shop, 10, 0), usage(shop, 5, 1), usage(mill, 1, 0, "pro")),
        add(engine, usage(mill, 1, 0, "pro"), usage(shop, 2, 0)),
    )
    await add(engine, usage("wfl-deleted", 7))

    async def read(since: float, until: float, workflows: list[str] | None = None) -> dict[tuple[str, str], float]:
        """What waited between so many minutes after `HOUR` and so many."""
        start, end = (HOUR + timedelta(minutes=minutes) for minutes in (since, until))
        async with engine.database.autocommit() as connection:
            rows = await warm_usages.fetch_warm_usages(connection, start, end, workflows)
        return {(row["workflow"], row["plan"]): row["seconds"] for row in rows}

    both = {("mill", "pro"): 2.0, ("shop", "standard"): 12.0}
    assert await read(0, 60) == await read(59, 60) == await read(-30, 1) == both
    assert await read(59, 61) == both | {("shop", "standard"): 17.0}
    assert await read(60, 120) == {("shop", "standard"): 5.0}
    assert await read(-60, 0) == await read(120, 180) == await read(30, 30) == await read(40, 20) == {}
    assert await read(0, 60, ["mill"]) == {("mill", "pro"): 2.0}
    assert await read(0, 60, []) == {}


async def test_hours_are_removed_when_their_runs_are(engine: Engine) -> None:
    shop, mill = engine.registry.workflow("shop")["id"], (await engine.registry.create_workflow("mill"))["id"]
    async with engine.database.autocommit() as connection:
        await connection.execute(text("UPDATE workflows SET retention_days = 2 WHERE slug = 'mill'"))
        for workflow_id in (shop, mill, "wfl-deleted"):
            for days in (1, 3, 31):
                await connection.execute(
                    text("INSERT INTO warm_usages VALUES (:id, 'standard', now() - :days * interval '1 day', :days)"),
                    {"id": workflow_id, "days": days},
                )
        await warm_usages.delete_expired_warm_usages(connection)
        rows = await connection.execute(text("SELECT workflow_id, seconds FROM warm_usages"))
        left = {(row[0], row[1]) for row in rows}
    assert left == {(shop, 1), (shop, 3), (mill, 1), ("wfl-deleted", 1), ("wfl-deleted", 3)}


async def test_what_cannot_be_written_is_kept(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    usages = WarmUsages(engine.database, Metrics(), lambda: now)
    written: list[float] = []
    is_away = False
    add_warm_usages = warm_usages.add_warm_usages

    async def added(connection: Any, fresh: list[WarmUsage]) -> None:
        if is_away:
            raise Unavailable("gone")
        written.append(sum(each.seconds for each in fresh))
        await add_warm_usages(connection, fresh)

    monkeypatch.setattr(warm_usages, "add_warm_usages", added)
    for now, idle, away, lately in (
        (0.0, 2, False, None),
        (5.0, 2, False, 10.0),
        (64.0, 2, False, None),  # Ten seconds count of a long while, and wait for the minute to be over.
        (66.0, 2, False, 24.0),
        (70.0, 0, True, None),  # Nothing waits any more, but that cannot be written.
        (129.0, 1, False, None),
        (130.0, 1, False, 9.0),
    ):
        is_away = away
        before = len(written)
        await usages.look([pool(idle=idle)], READY)
        assert written[before:] == ([] if lately is None else [lately]), now
    now = 135.0
    await usages.stop()
    assert written[3:] == [5.0]
    assert await recorded(engine) == 10 + 24 + 9 + 5


@pytest.mark.parametrize(
    ("versions", "pods"),
    [({"wfv-1": {"workflow_id": "wfl-1", "status": "registering"}}, None), ({}, 3), (READY, 3)],
)
async def test_pods_that_only_register_wait_for_no_work(
    engine: Engine, versions: Mapping[str, Mapping[str, str]], pods: int | None
) -> None:
    now, metrics = 0.0, Metrics()
    usages = WarmUsages(engine.database, metrics, lambda: now)
    await usages.look([pool(idle=3)], versions)
    now += 2.0
    await usages.look([pool(idle=3)], versions)
    labels = {"workflow": "shop", "plan": "standard"}
    assert metrics.registry.get_sample_value("skerry_pool_pods", labels | {"state": "idle"}) == pods
    assert await recorded(engine) == (6 if versions is READY else 0)


async def test_runners_with_an_attempt_work(engine: Engine) -> None:
    pods = []
    for _ in range(2):
        run_id = await trigger(engine)
        pods.append(Pod(engine, f"{run_id}-1", f"uid-{run_id}"))
        assert await pods[-1].connect()
    name = pods[0].session.pool
    async with engine.database.autocommit() as connection:
        assert await warm_usages.fetch_working(connection, [name, "another"]) == {name: 2}


async def test_the_leader_counts_and_records_when_it_stops(engine: Engine, world: World) -> None:
    executor = KubernetesExecutor(engine, world.configuration, NAMESPACE, PodDefaults(), WarmPolicy(most=0))
    await executor.start()
    labels = {"workflow": "shop", "plan": "standard"}
    try:
        await trigger(engine)
        await world.until(lambda: world.cluster.all("runnerpools"))
        (name,) = [item["metadata"]["name"] for item in world.cluster.all("runnerpools")]
        await world.cluster.change("runnerpools", name, {"status": {"replicas": 3, "idle": 2, "starting": 1}})
        await world.until(lambda: (metric(engine, "skerry_warm_seconds_total", **labels) or 0) >= 3)
        assert metric(engine, "skerry_pool_pods", **labels, state="idle") == 2
    finally:
        await executor.stop()
    assert metric(engine, "skerry_pool_pods", **labels, state="idle") is None
    assert await recorded(engine) >= 3
