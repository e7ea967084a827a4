from __future__ import annotations

import asyncio
from collections import Counter

import aiohttp
import pytest

from skerry_operator import paces, sessions
from tests.integration.operator.clusters import Json, Refused
from tests.integration.operator.conftest import World


async def test_operator_dies_between_run_and_pod(world: World) -> None:
    def refuse(verb: str, plural: str, body: Json) -> Refused | None:
        return Refused(500, "Away", "not now") if (verb, plural) == ("create", "pods") else None

    world.cluster.refuse = refuse
    first = await world.operate()
    await world.pool()
    await world.run()
    await world.until(lambda: world.cluster.requests["create", "pods"])
    await world.kill(first)
    world.cluster.refuse = lambda verb, plural, body: None
    await world.operate("two")
    await world.until_pod()
    await world.cluster.start("trn-1-1")
    await world.until_phase("Running")


async def test_operator_dies_between_pod_and_status(world: World) -> None:
    first = await world.operate()
    await world.pool()
    await world.run()
    await world.until_pod()
    await world.kill(first)
    await world.cluster.start("trn-1-1")
    await world.cluster.finish("trn-1-1", 3)
    await world.operate("two")
    failed = await world.until_phase("Failed")
    assert (failed["reason"], failed["exitCode"]) == ("Error", 3)
    assert world.cluster.writes()["create", "pods"] == 1


async def test_standby_takes_over_from_a_killed_operator(world: World) -> None:
    first = await world.operate("one")
    second = await world.operate("two", wait=False)
    await world.pool()
    await world.run("trn-1")
    await world.until_pod()
    assert second.metrics.active._value.get() == 0
    await world.kill(first)
    await world.run("trn-2")
    await world.until_pod("trn-2-1")
    assert second.metrics.active._value.get() == 1


async def test_standby_takes_over_at_once_from_one_that_stops(world: World) -> None:
    first = await world.operate("one")
    second = await world.operate("two", wait=False)
    await asyncio.sleep(0.3)
    began = asyncio.get_running_loop().time()
    await world.stop(first)
    await world.until(lambda: second.metrics.active._value.get() == 1)
    assert asyncio.get_running_loop().time() - began < 1.0


async def test_lost_lease_ends_acting(world: World) -> None:
    first = await world.operate("one")
    lease = world.cluster.all("leases")[0]
    thief = {"holderIdentity": "thief", "renewTime": "2030-01-01T00:00:00.000000Z", "leaseDurationSeconds": 60}
    await world.cluster.change("leases", lease["metadata"]["name"], {"spec": thief})
    await world.until(lambda: first.metrics.active._value.get() == 0)
    await world.pool()
    await world.run()
    await asyncio.sleep(0.5)
    assert not world.cluster.all("pods")


async def test_restart_with_many_live_objects_writes_nothing(world: World) -> None:
    count = 300
    world.cluster.autorun = 0.0
    first = await world.operate(announce=False)
    await world.pool()
    for number in range(count):
        await world.run(f"trn-{number}")
    await world.until(lambda: all(item["status"]["phase"] == "Running" for item in world.cluster.all("taskruns")), 60.0)
    counts = world.cluster.writes()
    assert counts["create", "pods"] == count
    assert counts["patch", "taskruns/status"] == count
    await world.until(lambda: world.cluster.status("pool", "runnerpools").get("claimed") == count)
    await world.stop(first)
    before = world.cluster.writes()
    second = await world.operate("two")
    await world.until(lambda: second.metrics.resynced._value.get() > 0)
    await asyncio.sleep(2.0)
    assert world.cluster.writes() == before


async def test_api_server_away_for_some_seconds(world: World) -> None:
    operator = await world.operate(resync_seconds=1)
    await world.pool()
    await world.run("trn-1")
    await world.until_pod()
    world.cluster.away = True
    world.cluster.drop_watches()
    await world.cluster.start("trn-1-1")
    await world.run("trn-2")
    await asyncio.sleep(2.5)
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{operator.port}/healthz") as answer:
        assert answer.status == 200
    world.cluster.away = False
    await world.until_phase("Running", "trn-1")
    await world.until_pod("trn-2-1")


async def test_slow_api_server_is_hardly_told_that_runs_run(world: World) -> None:
    count = 20
    world.cluster.write_seconds = 3 * paces.BUSY_SECONDS
    await world.operate(announce=False)
    await world.pool()
    for number in range(count):
        await world.run(f"trn-{number}")
    await world.until(lambda: len(world.cluster.all("pods")) == count)
    for number in range(count):
        await world.cluster.start(f"trn-{number}-1")
    # Time in which one that answers at once would be told of all.
    await asyncio.sleep(0.5)
    for number in range(count):
        await world.cluster.finish(f"trn-{number}-1")
    await world.until(lambda: all(item["status"]["phase"] == "Succeeded" for item in world.cluster.all("taskruns")))
    assert count <= world.cluster.writes()["patch", "taskruns/status"] < 1.6 * count


async def test_expired_history_is_listed_again(world: World) -> None:
    await world.operate()
    await world.pool()
    await world.run("trn-1")
    await world.until_pod()
    world.cluster.mute = {"pods", "taskruns", "runnerpools"}
    await world.cluster.start("trn-1-1")
    world.cluster.forget_history()
    world.cluster.version += 1
    world.cluster.mute = set()
    world.cluster.drop_watches()
    await world.until_phase("Running")


async def test_watches_that_end_at_once_are_not_begun_again_without_a_pause(world: World) -> None:
    await world.operate()
    await world.pool()
    world.cluster.ends_watches = True
    world.cluster.drop_watches()
    before = world.cluster.requests["watch", "pods"]
    await asyncio.sleep(2.0)
    assert 1 <= world.cluster.requests["watch", "pods"] - before < 10
    world.cluster.ends_watches = False
    await world.run()
    await world.until_pod()
    await world.cluster.start("trn-1-1")
    await world.until_phase("Running")


async def test_dead_watch_is_found_and_replaced(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "LATE_SECONDS", 0.5)
    operator = await world.operate(resync_seconds=1)
    await world.pool()
    await world.run("trn-1")
    await world.until_pod()
    world.cluster.mute = {"pods"}
    await world.cluster.start("trn-1-1")
    # The list shows what no event told, and that is enough for the run ...
    await world.until_phase("Running")
    # ... and for knowing that the watch is dead.
    await world.until(lambda: operator.metrics._missed._value.get() > 0)
    world.cluster.mute = set()
    await world.cluster.finish("trn-1-1")
    await world.until_phase("Succeeded")


async def test_vanished_pod_without_an_event(world: World) -> None:
    await world.operate(resync_seconds=1)
    await world.pool()
    await world.run()
    await world.until_pod()
    await world.cluster.start("trn-1-1")
    await world.until_phase("Running")
    world.cluster.mute = {"pods"}
    await world.cluster.vanish("pods", "trn-1-1")
    assert (await world.until_phase("Failed"))["reason"] == "PodDeleted"


async def test_someone_elses_status_write_is_not_overwritten(world: World) -> None:
    conflicts = 0

    def refuse(verb: str, plural: str, body: Json) -> Refused | None:
        nonlocal conflicts
        if (verb, plural) == ("patch", "taskruns") and conflicts < 2:
            conflicts += 1
            return Refused(409, "Conflict", "the object has been modified")
        return None

    world.cluster.refuse = refuse
    world.cluster.autorun = 0.05
    await world.operate()
    await world.pool()
    await world.run()
    await world.until_phase("Succeeded")
    assert conflicts == 2


async def test_probes_and_metrics(world: World) -> None:
    operator = await world.operate()
    await world.until(lambda: operator.metrics.resynced._value.get() > 0)
    answers: Counter[str] = Counter()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{operator.port}") as http:

        async def ready() -> bool:
            async with http.get("/readyz") as answer:
                return answer.status == 200

        while not await ready():
            await asyncio.sleep(0.05)
        for path in ("/healthz", "/readyz", "/metrics"):
            async with http.get(path) as answer:
                answers[path] = answer.status
                text = await answer.text()
    assert set(answers.values()) == {200}
    assert "skerry_operator_active 1.0" in text
