"""What decides how many runners wait, and who of them leaves, in a real PostgreSQL."""

from __future__ import annotations

import asyncio
import time

from skerry_api.domain import ids
from skerry_api.engine.engines import Engine
from skerry_api.engine.submissions import Trigger
from skerry_api.storage import pools
from skerry_api.storage.pools import PoolRecord
from tests.integration.engine.test_pods import Pod, engine

__all__ = ["engine"]


def record(name: str, workflow_id: str, excess: int) -> PoolRecord:
    return PoolRecord(name, workflow_id, "wfv-1", "standard", 1, "least", 1 + excess, 0, 0, excess)


async def test_replicas_share_what_is_to_be_dismissed(engine: Engine) -> None:
    workflow_id = engine.registry.workflow("shop")["id"]
    async with engine.database.transaction() as connection:
        await pools.write_pools(connection, [record("a", workflow_id, 5), record("b", workflow_id, 0)])

    async def take(idle: dict[str, int]) -> dict[str, int]:
        async with engine.database.transaction() as connection:
            return await pools.take_excess(connection, idle)

    first, second = await asyncio.gather(take({"a": 4, "b": 2}), take({"a": 3}))
    assert first["a"] + second["a"] == 5
    assert "b" not in first
    assert await take({"a": 3}) == {}
    async with engine.database.transaction() as connection:
        assert {row["name"] for row in await pools.fetch_pools(connection)} == {"a", "b"}
        await pools.delete_pools(connection, ["b"])
        assert [row["name"] for row in await pools.fetch_pools(connection)] == ["b"]


async def test_arrivals_and_the_children_to_expect(engine: Engine) -> None:
    house = await engine.registry.create_workflow("house", isolation="container")
    version = await engine.registry.create_version(house["id"], "sha-1", image="h:1", source={"image": "h:1"})
    names = ("parent", "child")
    await engine.registry.finish_registration(
        house["id"], version, [{"name": n, "parameters": []} for n in names], None
    )
    begun = time.time() - 1
    first_id = ids.new_id(ids.RUN, begun - 5)
    parent = (await engine.submit(Trigger("house/parent", [], "[]"))).run_id
    pod = Pod(engine, f"{parent}-1", "uid-parent")
    assert await pod.connect()
    message = pod.heard[1]
    words = {"attempt": message["attempt"], "token": message["token"]}
    for call in range(3):
        pod.session.receive({"type": "spawn", **words, "call": str(call), "task": "child", "input": "[]"})
    await asyncio.sleep(0.3)
    outcome = {"status": "succeeded", "result": "[1]"}
    pod.session.receive({"type": "complete", **words, "seq": 2, "outcome": outcome, "usage": {}})
    await asyncio.sleep(0.3)
    for _ in range(2):
        await engine.submit(Trigger("house/parent", [], "[]"))
    async with engine.database.transaction() as connection:
        came = await pools.fetch_arrivals(connection, begun, first_id)
        assert sum(count for _, _, count in came) == 6
        assert {name for name, _, _ in came} == {pod.session.pool}
        assert await pools.fetch_arrivals(connection, time.time() + 60, first_id) == []
        expected = await pools.fetch_children(connection, begun, first_id)
    assert expected == [(version, "standard", 9)], "three parents came, and the last that ended had three children"
