from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest

from skerry_objects import names
from skerry_operator.decisions import runner_pools
from tests.integration.operator.clusters import Json, Refused
from tests.integration.operator.conftest import World


def ready(world: World) -> Json:
    conditions = world.cluster.status("pool", "runnerpools").get("conditions") or [{}]
    found: Json = conditions[0]
    return found


async def test_idle_pods_are_kept(world: World) -> None:
    world.cluster.autorun = 0.0
    await world.operate()
    await world.pool(replicas=3)
    await world.until(lambda: world.cluster.status("pool", "runnerpools").get("idle") == 3)
    assert ready(world)["status"] == "True"
    names_before = {pod["metadata"]["name"] for pod in world.cluster.all("pods")}
    assert all(name.startswith("pool-") for name in names_before)
    await world.cluster.vanish("pods", sorted(names_before)[0])
    await world.until(lambda: len(world.cluster.all("pods")) == 3)


async def test_runner_that_left_is_replaced_and_removed_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_pools, "SERVED_KEPT", timedelta(seconds=3))
    world.cluster.autorun = 0.0
    await world.operate()
    await world.pool(replicas=1)
    await world.until(lambda: world.cluster.status("pool", "runnerpools").get("idle") == 1)
    name = world.cluster.all("pods")[0]["metadata"]["name"]
    # Longer than two looks are apart, also where the last event came late.
    await asyncio.sleep(1.6)
    began = time.monotonic()
    await world.cluster.finish(name)
    await world.until(lambda: len(world.cluster.all("pods")) == 2)
    assert time.monotonic() - began < 0.7
    await world.until(lambda: world.cluster.get("pods", name) is None)
    assert time.monotonic() - began > 1.5
    assert len(world.cluster.all("pods")) == 1


async def test_of_too_many_only_those_that_wait_are_deleted(world: World) -> None:
    await world.operate()
    await world.pool(replicas=3)
    made = await world.until(lambda: len(pods := world.cluster.all("pods")) == 3 and pods)
    first, second, third = (pod["metadata"]["name"] for pod in made)
    await world.cluster.start(first)
    await world.cluster.start(second)
    await world.until(lambda: world.cluster.status("pool", "runnerpools").get("idle") == 2)
    await world.cluster.change("runnerpools", "pool", {"spec": {"replicas": 0}})
    await world.until(lambda: world.cluster.get("pods", third) is None)
    await asyncio.sleep(1.5)
    left = world.cluster.all("pods")
    assert sorted(pod["metadata"]["name"] for pod in left) == sorted([first, second])
    assert not any("deletionTimestamp" in pod["metadata"] for pod in left)


async def test_pod_that_started_unseen_is_not_deleted(world: World) -> None:
    await world.operate()
    await world.pool(replicas=1)
    name = (await world.until(lambda: world.cluster.all("pods")))[0]["metadata"]["name"]
    world.cluster.mute.add("pods")
    await world.cluster.start(name)
    await world.cluster.change("runnerpools", "pool", {"spec": {"replicas": 0}})
    await world.until(lambda: world.cluster.writes()["delete", "pods"])
    await world.until(lambda: world.cluster.status("pool", "runnerpools").get("idle") == 1)
    await asyncio.sleep(1.5)
    pod = world.cluster.get("pods", name)
    assert pod is not None
    assert "deletionTimestamp" not in pod["metadata"]
    assert world.cluster.writes()["delete", "pods"] == 1


async def test_crashing_image_does_not_churn(world: World) -> None:
    world.cluster.crash = True
    await world.operate()
    await world.pool(replicas=3)
    await world.until(lambda: ready(world).get("reason") == "Error")
    assert "exit code 1" in ready(world)["message"]
    assert "ImportError" in ready(world)["message"]
    await asyncio.sleep(3.0)
    assert world.cluster.writes()["create", "pods"] == 3


async def test_bad_image_is_visible(world: World) -> None:
    await world.operate(image_pull_seconds=1)
    await world.pool(replicas=1)
    pod = await world.until(lambda: world.cluster.all("pods"))
    await world.cluster.wait_in(pod[0]["metadata"]["name"], "ErrImagePull", "manifest unknown")
    await world.until(lambda: ready(world).get("reason") == "ImagePull")
    assert ready(world)["status"] == "False"
    assert "manifest unknown" in ready(world)["message"]
    assert len(world.cluster.all("pods")) == 1


async def test_refused_idle_pod_is_visible_and_tried_again(world: World) -> None:
    closed = True

    def refuse(verb: str, plural: str, body: Json) -> Refused | None:
        return (
            Refused(403, "Forbidden", "denied by policy") if closed and (verb, plural) == ("create", "pods") else None
        )

    world.cluster.refuse = refuse
    await world.operate()
    await world.pool(replicas=1)
    await world.until(lambda: ready(world).get("reason") == "AdmissionRefused")
    closed = False
    await world.until(lambda: world.cluster.all("pods"))


async def test_changed_template_replaces_idle_pods(world: World) -> None:
    world.cluster.autorun = 0.0
    await world.operate()
    await world.pool(replicas=1)
    await world.until(lambda: world.cluster.status("pool", "runnerpools").get("idle") == 1)
    old = world.cluster.all("pods")[0]["metadata"]["name"]
    await world.cluster.change("runnerpools", "pool", {"spec": {"template": {"image": "registry.test/etl:2"}}})
    await world.until(lambda: "deletionTimestamp" in (world.cluster.get("pods", old) or {"metadata": {}})["metadata"])
    live = [pod for pod in world.cluster.all("pods") if "deletionTimestamp" not in pod["metadata"]]
    assert [pod["spec"]["containers"][0]["image"] for pod in live] == ["registry.test/etl:2"]
    assert names.RUN not in live[0]["metadata"]["labels"]
