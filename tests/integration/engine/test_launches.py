"""The executor beside a real Postgres, an API server, and an operator where Pods matter."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest
from structlog.testing import capture_logs

from skerry_api.domain.pools import WarmPolicy
from skerry_api.engine.submissions import Trigger
from skerry_api.executors.kubernetes import places
from skerry_api.executors.kubernetes.executors import KubernetesExecutor
from skerry_api.executors.kubernetes.launches import REQUESTS_AT_ONCE
from skerry_api.executors.kubernetes.templates import PodDefaults
from skerry_api.executors.kubernetes.windows import STARTING_PER_NODE
from skerry_api.storage.launches import Place
from tests.integration.engine.test_pods import Engine, Pod, engine, trigger
from tests.integration.operator.clusters import NAMESPACE, FakeCluster, Json, Refused
from tests.integration.operator.conftest import World, world

__all__ = ["engine"]

BURST = 2000


@pytest.fixture(name="world")
async def world_fixture() -> AsyncIterator[World]:
    async with world() as made:
        yield made


@pytest.fixture
async def executor(engine: Engine, world: World) -> AsyncIterator[KubernetesExecutor]:
    executor = KubernetesExecutor(engine, world.configuration, NAMESPACE, PodDefaults(), WarmPolicy(most=0))
    await executor.start()
    await world.until(lambda: metric(engine, "skerry_leader") == 1)
    yield executor
    await executor.stop()


def metric(engine: Engine, name: str, **labels: str) -> float | None:
    return engine.telemetry.registry.get_sample_value(name, labels)


async def attempts_of(engine: Engine, run_id: str) -> list[Any]:
    return list((await engine.details.fetch(run_id))[1])


async def eventually(probe: Callable[[], Any], seconds: float = 15.0) -> Any:
    """The first true answer of a probe that asks Postgres."""
    async with asyncio.timeout(seconds):
        while not (found := await probe()):
            await asyncio.sleep(0.02)
    return found


def slowly(cluster: FakeCluster) -> Counter[str]:
    """Let every creation take a moment; counts those under way, and keeps the most there were as `most`."""
    create, seen = cluster._create, Counter[str]()

    async def counted(plural: str, body: Json) -> Json:
        seen["now"] += 1
        seen["most"] = max(seen["most"], seen["now"])
        try:
            await asyncio.sleep(0.005)
            return await create(plural, body)
        finally:
            seen["now"] -= 1

    cluster._create = counted  # type: ignore[method-assign]
    return seen


async def test_a_burst_waits_in_the_record_not_in_the_api_server(
    engine: Engine, world: World, executor: KubernetesExecutor
) -> None:
    cluster = world.cluster
    under_way = slowly(cluster)
    submitted = await engine.submit_many([Trigger("shop/build", [], "[]") for _ in range(BURST)])
    runs = [submission.run_id for submission in submitted]
    await world.until(lambda: len(cluster.all("taskruns")) >= STARTING_PER_NODE)
    await asyncio.sleep(1.5)  # Long enough for another poll of the queue, which must find nothing to do.
    assert {item["metadata"]["name"] for item in cluster.all("taskruns")} == set(runs[:STARTING_PER_NODE])
    assert under_way["most"] <= REQUESTS_AT_ONCE
    assert cluster.writes() == {("create", "taskruns"): STARTING_PER_NODE, ("create", "runnerpools"): 1}

    (pool,) = [item["metadata"]["name"] for item in cluster.all("runnerpools")]
    await world.until(lambda: metric(engine, "skerry_attempts_waiting_for_pod", pool=pool) == STARTING_PER_NODE)
    assert metric(engine, "skerry_task_run_writes_total", verb="create", result="ok") == STARTING_PER_NODE
    assert metric(engine, "skerry_launch_seconds_count") == STARTING_PER_NODE

    for run_id in runs[:5]:
        assert await Pod(engine, f"{run_id}-1", f"uid-{run_id}").connect()
    await world.until(lambda: len(cluster.all("taskruns")) == STARTING_PER_NODE + 5)


async def test_pods_that_fit_no_node_hold_up_nobody_elses(
    engine: Engine, world: World, executor: KubernetesExecutor
) -> None:
    cluster = world.cluster

    def launched() -> list[str]:
        return [item["metadata"]["name"] for item in cluster.all("taskruns")]

    await engine.submit_many([Trigger("shop/build", [], "[]", plan="pro_ultra") for _ in range(300)])
    await world.until(lambda: len(launched()) == STARTING_PER_NODE)
    stuck = launched()
    others = {await trigger(engine) for _ in range(3)}
    for name in stuck[:3]:
        await cluster.change("taskruns", name, {"status": {"phase": "Pending", "attempt": 1, "reason": "NoRoom"}})
    # As many more as are held up, and first those of the pool that has none.
    await world.until(lambda: others <= set(launched()))
    assert len(launched()) == STARTING_PER_NODE + 3


async def test_an_attempt_shows_its_pod_and_node_as_the_cluster_tells_them(
    engine: Engine, world: World, executor: KubernetesExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Place] = []

    async def note(connection: Any, told: list[Place]) -> int:
        written.extend(told)
        return await note_places(connection, told)

    note_places = places.note_places
    monkeypatch.setattr(places, "note_places", note)
    await world.operate()
    run_id = await trigger(engine)
    pod = f"{run_id}-1"
    await world.until_pod(pod)

    await world.cluster.wait_in(pod, "ErrImagePull", "registry.test is away")
    await eventually(lambda: shows(engine, run_id, pod, "node-1"))
    assert await Pod(engine, pod, "uid-a").connect()
    await world.cluster.start(pod)
    await world.until_phase("Running", run_id)
    await world.cluster.change("taskruns", run_id, {"metadata": {"labels": {"seen": "again"}}})
    await asyncio.sleep(0.5)
    assert await shows(engine, run_id, pod, "node-1")
    assert written == [Place(pod, pod, "node-1")], "what is known is not written again"

    with capture_logs() as logged:
        await world.cluster.finish(pod, 137, "OOMKilled")
        await eventually(lambda: shows(engine, run_id, pod, "node-1", "failed"))
    lost = next(line for line in logged if line["event"] == "attempt_lost")
    assert (lost["pod"], lost["node"]) == (pod, "node-1")


async def shows(engine: Engine, run_id: str, pod: str, node: str, status: str | None = None) -> bool:
    first = (await attempts_of(engine, run_id))[0]
    return (first["pod_name"], first["node"]) == (pod, node) and status in (None, first["status"])


async def test_what_goes_wrong_with_the_api_server_is_counted(
    engine: Engine, world: World, executor: KubernetesExecutor
) -> None:
    cluster = world.cluster
    refusals = {
        ("create", "taskruns"): Refused(503, "ServiceUnavailable", "etcd is away"),
        ("watch", "taskruns"): Refused(410, "Expired", "too old resource version"),
    }
    cluster.refuse = lambda verb, plural, body: refusals.pop((verb, plural), None)
    run_id = await trigger(engine)
    await world.until(lambda: cluster.get("taskruns", run_id))
    assert metric(engine, "skerry_cluster_errors_total", kind="failed") == 1
    assert metric(engine, "skerry_task_run_writes_total", verb="create", result="failed") == 1

    cluster.drop_watches()
    for why in ("failed", "expired"):
        await world.until(partial(metric, engine, "skerry_watch_restarts_total", kind="taskruns", why=why))

    await executor.stop()
    assert metric(engine, "skerry_leader") == 0
