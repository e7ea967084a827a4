"""Workflow objects become versions; one that cannot is told why."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from skerry_api.executors.kubernetes.executors import KubernetesExecutor
from skerry_api.executors.kubernetes.metrics import Metrics
from skerry_api.executors.kubernetes.releases import Releases, begin_version
from skerry_api.executors.kubernetes.templates import PodDefaults
from skerry_api.storage import workflows
from skerry_objects.clients import Client
from skerry_objects.models import Metadata
from skerry_objects.workflows import Workflow, WorkflowSpec
from tests.integration.engine.test_launches import executor, world_fixture
from tests.integration.engine.test_pods import Engine, engine
from tests.integration.operator.conftest import World

__all__ = ["engine", "executor", "world_fixture"]


class Cluster:
    """Remembers what is written."""

    def __init__(self) -> None:
        self.created: list[Any] = []
        self.statuses: list[Any] = []

    async def create(self, resource: Any, namespace: str, body: Any) -> Any:
        self.created.append(body)
        return body

    async def patch(
        self, resource: Any, namespace: str, name: str, change: Any, *, subresource: str | None = None
    ) -> Any:
        self.statuses.append(change["status"])
        return change


async def attend(engine: Engine, spec: WorkflowSpec, name: str = "cart") -> Cluster:
    cluster = Cluster()
    seen = SimpleNamespace(objects={name: Workflow(metadata=Metadata(name=name, generation=1), spec=spec)})
    pools = SimpleNamespace(objects={})
    releases = Releases(
        engine, cast(Client, cluster), "tasks", PodDefaults(), cast(Any, seen), cast(Any, pools), Metrics()
    )
    await releases._attend(name)
    return cluster


async def test_a_new_image_is_started_once_to_register(engine: Engine) -> None:
    cluster = await attend(engine, WorkflowSpec(image="cart:1"))
    assert [(pool["kind"], pool["spec"]["replicas"]) for pool in cluster.created] == [("RunnerPool", 1)]
    assert cluster.statuses[0]["conditions"][0]["reason"] == "Registering"


async def test_what_makes_a_workflow_impossible_is_named_in_its_status(engine: Engine) -> None:
    cluster = await attend(engine, WorkflowSpec(image="cart:1"), name="cart.v1")
    (condition,) = cluster.statuses[0]["conditions"]
    assert (condition["status"], condition["reason"]) == ("False", "invalid_request")
    assert "cart.v1" in condition["message"]
    assert cluster.created == []


async def test_a_release_that_two_ask_for_is_one_and_is_told_once(engine: Engine) -> None:
    seen = Workflow(metadata=Metadata(name="cart"), spec=WorkflowSpec(image="cart:1"))
    with capture_logs() as logged:
        versions = await asyncio.gather(*(begin_version(engine, seen) for _ in range(4)))
    assert len({version["id"] for version in versions}) == 1
    assert [line["version"] for line in logged if line["event"] == "version_released"] == [versions[0]["id"]]


class Release:
    """A Workflow object whose image is released, with the one Pod that registers it."""

    def __init__(self, engine: Engine, world: World, version_id: str) -> None:
        self.engine = engine
        self.world = world
        self.version_id = version_id

    async def version(self) -> Any:
        async with self.engine.database.transaction() as connection:
            return await workflows.fetch_version(connection, self.version_id)

    async def until_version(self, **values: Any) -> Any:
        async with asyncio.timeout(15):
            while True:
                version = await self.version()
                if values.items() <= dict(version).items():
                    return version
                await asyncio.sleep(0.02)

    async def until_condition(self, reason: str, words: str = "") -> None:
        def said() -> bool:
            (condition,) = self.world.cluster.status("cart", "workflows").get("conditions") or [{}]
            told = (condition.get("status"), condition.get("reason"))
            return told == ("False", reason) and words in condition["message"]

        await self.world.until(said)

    async def pod(self) -> str:
        (item,) = await self.world.until(lambda: self.world.cluster.all("pods"))
        name: str = item["metadata"]["name"]
        return name


@pytest.fixture
async def release(engine: Engine, world: World, executor: KubernetesExecutor) -> Release:
    await world.operate()
    spec = {"image": "cart:1"}
    await world.cluster.put("workflows", {"metadata": {"name": "cart"}, "spec": spec})
    version = await begin_version(engine, Workflow(metadata=Metadata(name="cart"), spec=WorkflowSpec(image="cart:1")))
    return Release(engine, world, version["id"])


async def test_a_release_tells_at_once_what_holds_it_up(release: Release) -> None:
    await release.until_condition("Registering")
    pod = await release.pod()
    await release.world.cluster.wait_in(pod, "ErrImagePull", "registry.test is away")
    words = f"Pod {pod}: registry.test is away"
    await release.until_version(status="registering", waiting={"reason": "ImagePull", "message": words})
    await release.until_condition("ImagePull", words)

    await release.world.cluster.start(pod)
    await release.until_version(status="registering", waiting=None)
    await release.until_condition("Registering")


async def test_an_image_that_cannot_be_pulled_ever_fails_a_release_at_once(release: Release) -> None:
    await release.world.cluster.wait_in(await release.pod(), "InvalidImageName", "couldn't parse image name")
    version = await release.until_version(status="registration_failed", waiting=None)
    assert "couldn't parse image name" in version["error"]
    await release.until_condition("RegistrationFailed", "couldn't parse image name")


async def test_a_runner_that_ends_is_told_of_while_another_is_tried(release: Release) -> None:
    await release.world.cluster.finish(await release.pod(), 3, message="no such file: main.py")
    await release.until_condition("Error", "no such file: main.py")
    assert (await release.version())["status"] == "registering"
