"""Workflow objects become versions; one that cannot is told why."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from skerry_api.executors.kubernetes.releases import Releases
from skerry_api.executors.kubernetes.templates import PodDefaults
from skerry_objects.clients import Client
from skerry_objects.models import Metadata
from skerry_objects.workflows import Workflow, WorkflowSpec
from tests.integration.engine.test_pods import Engine, engine

__all__ = ["engine"]


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


async def attend(engine: Engine, spec: WorkflowSpec) -> Cluster:
    cluster = Cluster()
    seen = SimpleNamespace(objects={"cart": Workflow(metadata=Metadata(name="cart", generation=1), spec=spec)})
    pools = SimpleNamespace(objects={})
    releases = Releases(engine, cast(Client, cluster), "tasks", PodDefaults(), cast(Any, seen), cast(Any, pools))
    await releases._attend("cart")
    return cluster


async def test_a_new_image_is_started_once_to_register(engine: Engine) -> None:
    cluster = await attend(engine, WorkflowSpec(image="cart:1"))
    assert [(pool["kind"], pool["spec"]["replicas"]) for pool in cluster.created] == [("RunnerPool", 1)]
    assert cluster.statuses[0]["conditions"][0]["reason"] == "Registering"


async def test_a_template_that_makes_no_pod_is_named_in_the_status(engine: Engine) -> None:
    cluster = await attend(engine, WorkflowSpec(image="cart:1", template={"volumes": 3}))
    (condition,) = cluster.statuses[0]["conditions"]
    assert (condition["status"], condition["reason"]) == ("False", "InvalidSpec")
    assert "volumes" in condition["message"]
    assert cluster.created == []
