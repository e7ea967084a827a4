"""Pods that wait for work: each takes one run at once, and the cluster hears of it afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from skerry_api.domain.pools import WarmPolicy
from skerry_api.engine.engines import Engine
from skerry_api.engine.messages import timestamp
from skerry_api.engine.submissions import Trigger
from skerry_api.executors.kubernetes.executors import KubernetesExecutor
from skerry_api.executors.kubernetes.templates import PodDefaults
from skerry_api.storage import pools
from skerry_api.storage.databases import fetch_rows
from skerry_api.storage.pools import PoolRecord
from tests.integration.engine.test_pods import Pod, engine, launchable, trigger
from tests.integration.operator.clusters import NAMESPACE
from tests.integration.operator.conftest import World, world

__all__ = ["engine"]


@pytest.fixture(name="world")
async def world_fixture() -> AsyncIterator[World]:
    async with world() as made:
        yield made


async def waiting(engine: Engine, suffix: str, *, ready: bool = True, node: str = "node-1") -> Pod:
    """A Pod of the pool of `shop/build` that waits."""
    version_id = (await engine.registry.resolve("shop/build"))[1].version_id
    pod = Pod(engine, f"{version_id}-standard-{suffix}", f"uid-{suffix}", node)
    assert await pod.connect()
    if ready:
        pod.session.receive({"type": "ready"})
        await asyncio.sleep(0.05)  # It asks the queue, which is empty.
    return pod


def assigned(pod: Pod) -> list[Any]:
    return [message for message in pod.heard if message["type"] == "assign"]


def report(pod: Pod) -> None:
    """The Pod starts what it was assigned, and succeeds."""
    (message,) = assigned(pod)
    words = {"attempt": message["attempt"], "token": message["token"]}
    pod.session.receive({"type": "started", **words, "seq": 1, "started_at": timestamp(1.8e9)})
    outcome = {"status": "succeeded", "result": "[1]"}
    pod.session.receive({"type": "complete", **words, "seq": 2, "outcome": outcome, "usage": {}})


async def attempt_of(engine: Engine, run_id: str) -> tuple[str, str | None, bool]:
    """The first attempt's status and Pod, and whether its TaskRun is still to say so."""
    async with engine.database.autocommit() as connection:
        rows = await fetch_rows(
            connection, "SELECT status, pod_name, adopt_at IS NOT NULL FROM attempts WHERE id = %s", (f"{run_id}-1",)
        )
    return rows[0][0], rows[0][1], rows[0][2]


async def test_a_waiting_pod_is_given_a_run_in_the_transaction_that_records_it(engine: Engine) -> None:
    pod = await waiting(engine, "a")
    run_id = await trigger(engine)
    assert [message["run"] for message in assigned(pod)] == [run_id]
    assert await attempt_of(engine, run_id) == ("starting", pod.identity.name, True)
    assert await launchable(engine) == []


async def test_pods_hear_how_many_runs_begin_with_theirs_on_their_node(engine: Engine) -> None:
    pods = [await waiting(engine, suffix) for suffix in "abc"]
    await engine.submit_many([Trigger("shop/build", [], "[]")] * 2)
    await trigger(engine)
    assert sorted(message["company"] for pod in pods for message in assigned(pod)) == [1, 2, 2]
    elsewhere = [await waiting(engine, "d", node="node-2"), await waiting(engine, "e", node="node-3")]
    await engine.submit_many([Trigger("shop/build", [], "[]")] * 2)
    assert [message["company"] for pod in elsewhere for message in assigned(pod)] == [1, 1]


async def test_an_assignment_that_fails_takes_no_other_with_it(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, sound = [await waiting(engine, suffix) for suffix in "ab"]

    def fail(*_: Any) -> None:
        raise RuntimeError("no such plan any more")

    monkeypatch.setattr(broken.session, "assign", fail)
    seen: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: seen.append(context["exception"]))
    await engine.submit_many([Trigger("shop/build", [], "[]")] * 2)
    assert len(assigned(sound)) == 1
    assert [str(error) for error in seen] == ["no such plan any more"], "it is heard of"


async def test_an_attempt_that_the_record_gave_first_is_assigned_once(engine: Engine) -> None:
    pod = await waiting(engine, "a")
    await trigger(engine)
    (held,) = pod.session._held.values()
    pod.session.reserved += 1
    pod.session.assign(held.assignment)
    assert len(assigned(pod)) == 1
    assert (pod.session.active, pod.session.reserved) == (1, 0)


async def test_a_waiting_pod_takes_what_is_queued_and_takes_one_run_only(engine: Engine) -> None:
    first, second = await trigger(engine), await trigger(engine)
    pod = await waiting(engine, "a")
    await asyncio.sleep(0.1)
    assert [message["run"] for message in assigned(pod)] == [first]
    assert await launchable(engine) == [f"{second}-1"]
    report(pod)
    await asyncio.sleep(0.1)
    assert len(assigned(pod)) == 1, "one run, one container"
    other = await waiting(engine, "b")
    await asyncio.sleep(0.1)
    assert [message["run"] for message in assigned(other)] == [second]


async def test_a_pod_that_still_imports_its_application_is_given_nothing(engine: Engine) -> None:
    pod = await waiting(engine, "a", ready=False)
    run_id = await trigger(engine)
    assert not assigned(pod)
    assert await launchable(engine) == [f"{run_id}-1"]
    pod.session.receive({"type": "ready"})
    await asyncio.sleep(0.1)
    assert [message["run"] for message in assigned(pod)] == [run_id]


async def test_a_pod_that_connects_again_keeps_its_run_and_takes_no_other(engine: Engine) -> None:
    pod = await waiting(engine, "a")
    run_id = await trigger(engine)
    engine.close_session(pod.session)
    pod.heard.clear()
    assert await pod.connect()
    assert [message["run"] for message in assigned(pod)] == [run_id], "it had not heard of it"
    pod.session.receive({"type": "ready"})
    await trigger(engine)
    await asyncio.sleep(0.05)
    assert len(assigned(pod)) == 1


async def test_too_many_are_told_to_leave_and_those_that_work_are_not(engine: Engine) -> None:
    pods = [await waiting(engine, suffix) for suffix in "abc"]
    await trigger(engine)
    (busy,) = [pod for pod in pods if assigned(pod)]
    workflow = engine.registry.workflow("shop")
    record = PoolRecord(busy.session.pool, workflow["id"], busy.session.version_id, "standard", 1, "", 2, 0, 1, 1)
    async with engine.database.transaction() as connection:
        await pools.write_pools(connection, [record])
    engine.sweeper.wake()
    await asyncio.sleep(0.3)
    told = [pod for pod in pods if "exit" in pod.kinds]
    assert len(told) == 1
    assert busy not in told
    async with engine.database.transaction() as connection:
        assert await pools.take_excess(connection, {record.name: 5}) == {}


@pytest.fixture
async def executor(engine: Engine, world: World) -> AsyncIterator[KubernetesExecutor]:
    executor = KubernetesExecutor(engine, world.configuration, NAMESPACE, PodDefaults(), WarmPolicy(most=0))
    await executor.start()
    yield executor
    await executor.stop()


async def test_the_task_run_of_a_claimed_run_names_its_pod(
    engine: Engine, world: World, executor: KubernetesExecutor
) -> None:
    pod = await waiting(engine, "a")
    run_id = await trigger(engine)
    await world.until(lambda: world.cluster.get("taskruns", run_id) is not None)
    made = world.cluster.get("taskruns", run_id)
    assert made is not None
    assert (made["spec"]["podName"], made["spec"]["attempt"]) == (pod.identity.name, 1)
    for _ in range(50):
        if not (await attempt_of(engine, run_id))[2]:
            break
        await asyncio.sleep(0.1)
    assert await attempt_of(engine, run_id) == ("starting", pod.identity.name, False)


async def test_a_run_that_was_over_at_once_has_a_task_run_too(
    engine: Engine, world: World, executor: KubernetesExecutor
) -> None:
    pod = await waiting(engine, "a")
    run_id = await trigger(engine)
    report(pod)
    await world.until(lambda: world.cluster.get("taskruns", run_id) is not None)
    made = world.cluster.get("taskruns", run_id)
    assert made is not None
    assert made["spec"]["podName"] == pod.identity.name
    assert (await attempt_of(engine, run_id))[0] == "succeeded"


async def test_a_task_run_that_was_made_for_a_pod_of_its_own_names_the_one_that_was_quicker(
    engine: Engine, world: World, executor: KubernetesExecutor
) -> None:
    run_id = await trigger(engine)
    await world.until(lambda: world.cluster.get("taskruns", run_id) is not None)
    pod = await waiting(engine, "a")
    await world.until(lambda: world.cluster.objects["taskruns", run_id]["spec"].get("podName") is not None)
    assert world.cluster.objects["taskruns", run_id]["spec"]["podName"] == pod.identity.name
    own = Pod(engine, f"{run_id}-1", "uid-own")
    assert await own.connect()
    assert own.kinds == ["welcome", "exit"], "its attempt is taken"


async def test_removing_the_task_run_of_a_claimed_run_cancels_it(
    engine: Engine, world: World, executor: KubernetesExecutor
) -> None:
    pod = await waiting(engine, "a")
    run_id = await trigger(engine)
    await world.until(lambda: world.cluster.get("taskruns", run_id) is not None)
    await asyncio.sleep(0.5)
    await world.cluster._delete("taskruns", world.cluster.objects["taskruns", run_id], {})
    await world.until(lambda: "cancel" in pod.kinds)
    assert (await attempt_of(engine, run_id))[0] == "canceled"
