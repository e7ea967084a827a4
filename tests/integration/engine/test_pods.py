"""Runners that are Pods: each takes the attempt it was started for, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from skerry_api.domain.states import Reason
from skerry_api.engine.completions import Outcome
from skerry_api.engine.engines import Engine
from skerry_api.engine.executions import PodIdentity
from skerry_api.engine.settings import EngineSettings
from skerry_api.engine.submissions import Trigger
from skerry_api.storage import launches
from skerry_api.storage.assignments import fetch_assignment
from skerry_api.storage.databases import Database

HELLO = {"type": "hello", "protocol": 1, "capacity": 1}


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[Engine]:
    database = Database(database_url)
    engine = Engine(EngineSettings("cpl-test", require_keys=False), database)
    await engine.start()
    row = await engine.registry.create_workflow("shop", isolation="container")
    version = await engine.registry.create_version(row["id"], "sha-1", image="shop:1", source={"image": "shop:1"})
    tasks = [
        {
            "name": "build",
            "options": {"retry": {"max_retries": 0, "wait_duration_ms": 1, "factor": 1}},
            "parameters": [],
        }
    ]
    await engine.registry.finish_registration(row["id"], version, tasks, None)
    yield engine
    await engine.stop()


async def trigger(engine: Engine) -> str:
    return (await engine.submit(Trigger("shop/build", [], "[]"))).run_id


async def launchable(engine: Engine) -> list[str]:
    async with engine.database.autocommit() as connection:
        return [launch.attempt for launch in await launches.fetch_launchable(connection, 10)]


class Pod:
    """A Pod's runner, as the gateway sees it."""

    def __init__(self, engine: Engine, name: str, uid: str, node: str | None = None) -> None:
        self.engine = engine
        self.identity = PodIdentity("tasks", "runner", name, uid, node)
        self.heard: list[Mapping[str, Any]] = []

    async def connect(self) -> bool:
        async def identify(token: str) -> PodIdentity | None:
            return self.identity if token == self.identity.uid else None

        self.engine.identify_pod = identify
        runner = await self.engine.runner_of(self.identity.uid)
        if runner is None:
            return False
        self.session = await self.engine.open_session(runner, HELLO, self.heard.append)
        return True

    @property
    def kinds(self) -> list[str]:
        return [message["type"] for message in self.heard]


async def test_a_pod_takes_the_attempt_it_was_started_for_once(engine: Engine) -> None:
    run_id, other = await trigger(engine), await trigger(engine)
    assert await launchable(engine) == [f"{run_id}-1", f"{other}-1"]
    pod = Pod(engine, f"{run_id}-1", "uid-a")
    assert await pod.connect()
    assert pod.kinds == ["welcome", "assign"]
    assert pod.heard[1]["run"] == run_id
    assert await launchable(engine) == [f"{other}-1"]

    impostor = Pod(engine, f"{run_id}-1", "uid-b")
    assert await impostor.connect()
    assert impostor.kinds == ["welcome", "exit"], "a Pod of the same name is not the one that has the attempt"

    again = Pod(engine, f"{run_id}-1", "uid-a")
    assert await again.connect()
    assert again.kinds == ["welcome", "assign"], "it was assigned, and never heard of it"


@pytest.mark.parametrize("node", ["node-1", None])
async def test_an_attempt_shows_the_pod_that_took_it(engine: Engine, node: str | None) -> None:
    run_id = await trigger(engine)
    with capture_logs() as logged:
        assert await Pod(engine, f"{run_id}-1", "uid-a", node).connect()
    (attempt,) = (await engine.details.fetch(run_id))[1]
    assert (attempt["pod_name"], attempt["node"]) == (f"{run_id}-1", node)
    (line,) = [line for line in logged if line["event"] == "attempt_assigned"]
    assert (line["pod"], line.get("node")) == (f"{run_id}-1", node)


async def test_a_pod_whose_attempt_is_over_leaves(engine: Engine) -> None:
    run_id = await trigger(engine)
    async with engine.database.autocommit() as connection:
        assignment = await fetch_assignment(connection, f"{run_id}-1")
    assert assignment is not None
    lost = Outcome(Reason.EVICTED, error={"type": "evicted", "message": "the node was low on memory"})
    assert await engine.completions.settle(assignment, lost, spawned=True)
    late = Pod(engine, f"{run_id}-1", "uid-a")
    assert await late.connect()
    assert late.kinds == ["welcome", "exit"]
    async with engine.database.autocommit() as connection:
        following = await launches.fetch_open(connection, [run_id])
    assert following[run_id].attempt == f"{run_id}-2", "the cluster's fault costs none of the task's retries"


@pytest.mark.parametrize("name", ["trn-00000000000000000000-1", "wfv-00000000000000000000-standard-abcde", "nginx"])
async def test_a_pod_that_is_none_of_ours_is_nobody(engine: Engine, name: str) -> None:
    assert not await Pod(engine, name, "uid").connect()


async def test_a_limited_workflow_has_no_more_containers_than_may_run(engine: Engine) -> None:
    workflow = engine.registry.workflow("shop")
    await engine.registry.update_workflow(workflow["id"], {"concurrency_limit": 2})
    runs = [await trigger(engine) for _ in range(4)]
    assert await launchable(engine) == [f"{run_id}-1" for run_id in runs[:2]]
    assert await Pod(engine, f"{runs[0]}-1", "uid-a").connect()
    assert await launchable(engine) == [f"{runs[1]}-1"]


async def test_a_lone_trigger_passes_most_of_a_large_request(engine: Engine) -> None:
    submitted = await engine.submit_many([Trigger("shop/build", [], "[]") for _ in range(200)])
    lone = await trigger(engine)
    first = await launchable(engine)
    assert f"{submitted[0].run_id}-1" in first, "what came first is not put off"
    assert f"{lone}-1" in first


async def test_a_lone_child_is_not_held_against_a_parent_that_had_many(engine: Engine) -> None:
    parent = await trigger(engine)
    pod = Pod(engine, f"{parent}-1", "uid-parent")
    assert await pod.connect()
    message = pod.heard[1]
    words = {"type": "spawn", "attempt": message["attempt"], "token": message["token"], "task": "build", "input": "[]"}
    for call in range(20):
        pod.session.receive({**words, "call": f"first-{call}"})
    await asyncio.sleep(0.5)
    spawned = [message["run"] for message in pod.heard if message["type"] == "spawned"]
    assert len(spawned) == 20
    await engine.cancel_runs(spawned, "done with them")
    await asyncio.sleep(0.3)
    others = await engine.submit_many([Trigger("shop/build", [], "[]") for _ in range(20)])
    pod.session.receive({**words, "call": "again"})
    await asyncio.sleep(0.3)
    (again,) = {message["run"] for message in pod.heard if message["type"] == "spawned"} - set(spawned)
    order = await launchable(engine)
    assert f"{again}-1" in order
    assert f"{others[0].run_id}-1" in order
