"""Pods that wait small and grow when they have a run; clusters that cannot do that, and nodes that have no room."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from skerry_operator.decisions import growths
from tests.integration.operator.clusters import Json, Refused, now
from tests.integration.operator.conftest import World

SMALL = {"cpu": "50m", "memory": "64Mi"}
LIMITS = {"cpu": "1", "memory": "1Gi"}
CLAIMED = {"cpu": "999m", "memory": "1Gi"}


def requests(pod: Json) -> Json:
    found: Json = pod["spec"]["containers"][0]["resources"].get("requests", {})
    return found


def idle(world: World) -> list[Json]:
    return [pod for pod in world.cluster.all("pods") if "skerry.dev/run" not in pod["metadata"]["labels"]]


def resizes(world: World) -> int:
    return world.cluster.writes()["patch", "pods/resize"]


def condition(world: World, name: str = "trn-1") -> Json:
    conditions = world.cluster.status(name).get("conditions") or []
    return next((entry for entry in conditions if entry["type"] == "Resized"), {})


async def waiting_pod(world: World, **pool: Any) -> str:
    """Have one Pod wait, in a pool of such; returns its name."""
    world.cluster.autorun = 0.0
    await world.operate()
    await world.pool(replicas=1, **{"idle_requests": SMALL, "resources": {"limits": LIMITS}, **pool})
    await world.until(lambda: world.cluster.status("pool", "runnerpools").get("idle") == 1)
    name: str = idle(world)[0]["metadata"]["name"]
    return name


async def test_pod_waits_small_and_grows_once(world: World) -> None:
    name = await waiting_pod(world)
    assert requests(await world.until_pod(name)) == SMALL
    await world.run(podName=name)
    await world.until(lambda: requests(world.cluster.objects["pods", name]) == CLAIMED)
    await world.until_phase("Running")
    (other,) = await world.until(lambda: idle(world))
    assert requests(other) == SMALL
    await world.cluster.finish(name)
    await world.until_phase("Succeeded")
    assert resizes(world) == 1
    assert condition(world) == {}


async def test_pods_are_as_large_as_ever_where_the_cluster_cannot_resize(world: World) -> None:
    world.cluster.resizes = False
    name = await waiting_pod(world)
    assert requests(await world.until_pod(name)) == {}
    await world.run(podName=name)
    await world.until_phase("Running")
    assert resizes(world) == 0


async def test_cluster_that_can_no_longer_resize_does_not_disturb_runs(world: World) -> None:
    name = await waiting_pod(world)
    world.cluster.resizes = False
    await world.run(podName=name)
    await world.until_phase("Running")
    await world.cluster.finish(name)
    await world.until_phase("Succeeded")


async def test_node_without_room(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    name = await waiting_pod(world)
    await world.run(podName=name)
    await world.until(lambda: requests(world.cluster.objects["pods", name]) == CLAIMED)
    pending = {"type": "PodResizePending", "status": "True", "reason": "Deferred", "message": "no CPU left"}
    monkeypatch.setattr(growths, "NOTICE", timedelta(seconds=2))
    await world.cluster.update_pod(name, {"conditions": [{**pending, "lastTransitionTime": now()}]})
    await asyncio.sleep(0.5)
    assert condition(world) == {}
    await world.until(lambda: condition(world).get("status") == "False")
    assert (condition(world)["reason"], condition(world)["message"]) == ("Deferred", "no CPU left")
    events = await world.until(lambda: [event for event in world.cluster.all("events") if event["type"] == "Warning"])
    assert [event["reason"] for event in events] == ["NotResized"]
    await asyncio.sleep(1.1)

    (early,) = idle(world)
    await world.cluster.vanish("pods", early["metadata"]["name"])
    (large,) = await world.until(lambda: idle(world))
    assert requests(large) == {}, "there is room for it, or it waits for room"
    await world.cluster.update_pod(name, {"conditions": []})
    await world.until(lambda: condition(world)["status"] == "True")
    await asyncio.sleep(1.1)
    assert [pod["metadata"]["name"] for pod in idle(world)] == [large["metadata"]["name"]], "it is not replaced"
    await world.cluster.vanish("pods", large["metadata"]["name"])
    (small,) = await world.until(lambda: idle(world))
    assert requests(small) == SMALL


async def test_quota_without_room(world: World) -> None:
    full = True

    def refuse(verb: str, plural: str, body: Json) -> Refused | None:
        is_refused = full and (verb, plural) == ("patch", "pods/resize")
        return Refused(403, "Forbidden", "exceeded quota: few, requested: cpu=949m") if is_refused else None

    world.cluster.refuse = refuse
    name = await waiting_pod(world)
    await world.run(podName=name)
    await world.until(lambda: condition(world).get("reason") == "QuotaExceeded")
    assert (await world.until_phase("Running"))["podName"] == name
    await world.until(lambda: {"Started", "NotResized"} <= {event["reason"] for event in world.cluster.all("events")})
    await asyncio.sleep(0.5)
    asked = resizes(world)
    assert asked < 5
    full = False
    await world.cluster.update_pod(name, {"message": "looked at again"})
    await world.until(lambda: condition(world)["status"] == "True")
    assert requests(world.cluster.objects["pods", name]) == CLAIMED


async def test_pod_that_is_too_small_for_its_namespace_waits_at_full_size(world: World) -> None:
    def refuse(verb: str, plural: str, body: Json) -> Refused | None:
        is_small = (verb, plural) == ("create", "pods") and requests(body) == SMALL
        return Refused(403, "Forbidden", "minimum cpu usage per Container is 100m") if is_small else None

    world.cluster.refuse = refuse
    name = await waiting_pod(world)
    assert requests(world.cluster.objects["pods", name]) == {}
    await asyncio.sleep(1.1)
    assert [pod["metadata"]["name"] for pod in world.cluster.all("pods")] == [name]


async def test_size_that_changes_replaces_pods_once_others_wait(world: World) -> None:
    old = await waiting_pod(world, idle_requests=None)
    await world.cluster.change("runnerpools", "pool", {"spec": {"idleRequests": SMALL}})
    await world.until(lambda: "deletionTimestamp" in (world.cluster.get("pods", old) or {"metadata": {}})["metadata"])
    live = [pod for pod in world.cluster.all("pods") if "deletionTimestamp" not in pod["metadata"]]
    assert [requests(pod) for pod in live] == [SMALL]
