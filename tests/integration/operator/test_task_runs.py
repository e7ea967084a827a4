from __future__ import annotations

import asyncio
from collections import Counter

from skerry_objects import names
from tests.integration.operator.clusters import Json, Refused
from tests.integration.operator.conftest import World


async def test_run_gets_pod_and_ends_with_three_writes(world: World) -> None:
    await world.operate()
    await world.pool()
    await world.run()
    pod = await world.until_pod()
    assert pod["metadata"]["labels"][names.RUN] == "trn-1"
    await world.cluster.start("trn-1-1")
    running = await world.until_phase("Running")
    assert (running["podName"], running["node"], running["podUID"]) == ("trn-1-1", "node-1", pod["metadata"]["uid"])
    await world.cluster.finish("trn-1-1")
    done = await world.until_phase("Succeeded")
    assert (done["reason"], done["exitCode"]) == ("Completed", 0)
    assert done["startedAt"]
    assert done["finishedAt"]
    await asyncio.sleep(0.3)
    counts = world.cluster.writes()
    counts.pop(("patch", "runnerpools/status"), None)
    assert counts == Counter({("create", "pods"): 1, ("patch", "taskruns/status"): 2})


async def test_nothing_is_added_to_objects(world: World) -> None:
    world.cluster.autorun = 0.05
    await world.operate()
    await world.pool()
    before = await world.run()
    await world.until_phase("Succeeded")
    after = world.cluster.get("taskruns", "trn-1")
    assert after is not None
    kept = {key: value for key, value in after["metadata"].items() if key != "resourceVersion"}
    assert kept == {key: value for key, value in before["metadata"].items() if key != "resourceVersion"}


async def test_failed_container_is_classified_and_announced(world: World) -> None:
    await world.operate()
    await world.pool()
    await world.run()
    await world.until_pod()
    await world.cluster.finish("trn-1-1", 137, "OOMKilled")
    failed = await world.until_phase("Failed")
    assert (failed["reason"], failed["exitCode"]) == ("OOMKilled", 137)
    events = await world.until(lambda: [event["reason"] for event in world.cluster.all("events")][1:])
    assert events == ["OOMKilled"]


async def test_raised_attempt_gets_pod_of_its_own(world: World) -> None:
    await world.operate()
    await world.pool()
    await world.run()
    await world.until_pod()
    await world.cluster.start("trn-1-1")
    await world.until_phase("Running")
    await world.cluster.change("taskruns", "trn-1", {"spec": {"attempt": 2}, "metadata": {"generation": 2}})
    second = await world.until_pod("trn-1-2")
    assert second["metadata"]["labels"][names.ATTEMPT] == "2"
    first = await world.until_pod("trn-1-1")
    assert first["metadata"]["deletionTimestamp"]
    assert world.cluster.status("trn-1")["phase"] == "Pending"
    assert "podName" not in world.cluster.status("trn-1")
    await world.cluster.vanish("pods", "trn-1-1")
    await world.cluster.start("trn-1-2")
    running = await world.until_phase("Running", attempt=2)
    assert (running["podName"], running["observedGeneration"]) == ("trn-1-2", 2)
    assert world.cluster.writes()["delete", "pods"] == 1


async def test_pod_deleted_by_hand(world: World) -> None:
    await world.operate()
    await world.pool()
    await world.run()
    await world.until_pod()
    await world.cluster.start("trn-1-1")
    await world.until_phase("Running")
    await world.cluster.vanish("pods", "trn-1-1")
    assert (await world.until_phase("Failed"))["reason"] == "PodDeleted"
    assert world.cluster.get("pods", "trn-1-1") is None


async def test_pod_deleted_by_hand_before_it_ran(world: World) -> None:
    await world.operate()
    await world.pool()
    await world.run()
    await world.until_pod()
    await world.cluster.vanish("pods", "trn-1-1")
    assert (await world.until_phase("Failed"))["reason"] == "PodDeleted"


async def test_preempted_pod_that_vanishes(world: World) -> None:
    await world.operate()
    await world.pool()
    await world.run()
    await world.until_pod()
    await world.cluster.start("trn-1-1")
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "PreemptionByScheduler",
        "message": "preempted",
    }
    await world.cluster.update_pod("trn-1-1", {"conditions": [condition]})
    await world.cluster.vanish("pods", "trn-1-1")
    failed = await world.until_phase("Failed")
    assert (failed["reason"], failed["message"]) == ("Preempted", "preempted")


async def test_bad_image_is_said_and_given_up(world: World) -> None:
    await world.operate(image_pull_seconds=1.5)
    await world.pool()
    await world.run()
    await world.until_pod()
    await world.cluster.wait_in("trn-1-1", "ErrImagePull", "manifest unknown")
    waiting = await world.until_phase("Starting")
    assert (waiting["reason"], waiting["message"]) == ("ImagePull", "manifest unknown")
    await world.cluster.wait_in("trn-1-1", "ImagePullBackOff", "Back-off pulling image")
    failed = await world.until_phase("Failed")
    assert (failed["reason"], failed["message"]) == ("ImagePull", "manifest unknown")
    await world.until(lambda: world.cluster.get("pods", "trn-1-1") is None)
    assert world.cluster.writes()["patch", "taskruns/status"] == 2


async def test_quota_is_waited_for(world: World) -> None:
    full = True

    def refuse(verb: str, plural: str, body: Json) -> Refused | None:
        if full and (verb, plural) == ("create", "pods"):
            return Refused(403, "Forbidden", 'pods "trn-1-1" is forbidden: exceeded quota: team')
        return None

    world.cluster.refuse = refuse
    await world.operate()
    await world.pool()
    await world.run()
    waiting = await world.until(lambda: (s := world.cluster.status("trn-1")).get("reason") and s)
    assert (waiting["phase"], waiting["reason"]) == ("Pending", "QuotaExceeded")
    full = False
    await world.until_pod()


async def test_refused_pod_fails_at_once(world: World) -> None:
    def refuse(verb: str, plural: str, body: Json) -> Refused | None:
        return Refused(422, "Invalid", "spec.containers: no") if (verb, plural) == ("create", "pods") else None

    world.cluster.refuse = refuse
    await world.operate()
    await world.pool()
    await world.run()
    failed = await world.until_phase("Failed")
    assert (failed["reason"], failed["message"]) == ("AdmissionRefused", "spec.containers: no")


async def test_pool_that_comes_later(world: World) -> None:
    await world.operate()
    await world.run()
    await world.until(lambda: world.cluster.status("trn-1").get("reason") == "PoolMissing")
    await world.pool()
    await world.until_pod()


async def test_warm_pod_is_adopted(world: World) -> None:
    await world.operate()
    await world.pool(replicas=1)
    idle = await world.until(lambda: world.cluster.all("pods"))
    name = idle[0]["metadata"]["name"]
    await world.cluster.start(name)
    await world.run(podName=name)
    running = await world.until_phase("Running")
    assert running["podName"] == name
    pod = world.cluster.get("pods", name)
    assert pod is not None
    assert pod["metadata"]["labels"][names.RUN] == "trn-1"
    assert [owner["kind"] for owner in pod["metadata"]["ownerReferences"]] == ["TaskRun"]
    assert world.cluster.get("pods", "trn-1-1") is None
    await world.until(lambda: len(world.cluster.all("pods")) == 2)
    await world.cluster.finish(name)
    await world.until_phase("Succeeded")


async def test_warm_pod_that_is_over_is_adopted_with_two_writes(world: World) -> None:
    await world.operate()
    await world.pool(replicas=1)
    name = (await world.until(lambda: world.cluster.all("pods")))[0]["metadata"]["name"]
    await world.cluster.start(name)
    await world.cluster.finish(name)
    await world.until(lambda: len(world.cluster.all("pods")) == 2)
    await world.run(podName=name)
    done = await world.until_phase("Succeeded")
    assert (done["podName"], done["exitCode"]) == (name, 0)
    assert done["startedAt"]
    assert done["finishedAt"]
    await asyncio.sleep(0.3)
    pod = await world.until_pod(name)
    assert pod["metadata"]["labels"][names.RUN] == "trn-1"
    assert "activeDeadlineSeconds" not in pod["spec"]
    counts = world.cluster.writes()
    assert (counts["patch", "pods"], counts["patch", "taskruns/status"], counts["delete", "pods"]) == (1, 1, 0)


async def test_cold_pod_gives_way_to_the_warm_one_that_was_faster(world: World) -> None:
    await world.operate()
    await world.pool(replicas=1)
    name = (await world.until(lambda: world.cluster.all("pods")))[0]["metadata"]["name"]
    await world.cluster.start(name)
    await world.run()
    cold = await world.until_pod()
    await world.cluster.wait_in("trn-1-1", "ErrImagePull", "manifest unknown")
    await world.until(lambda: world.cluster.status("trn-1").get("podUID") == cold["metadata"]["uid"])
    await world.cluster.change("taskruns", "trn-1", {"spec": {"podName": name}, "metadata": {"generation": 2}})
    running = await world.until_phase("Running")
    warm = await world.until_pod(name)
    assert (running["podName"], running["podUID"]) == (name, warm["metadata"]["uid"])
    assert "reason" not in running
    await world.until(lambda: world.cluster.get("pods", "trn-1-1") is None)
    await world.cluster.finish(name)
    assert (await world.until_phase("Succeeded"))["podName"] == name


async def test_adoption_that_is_refused_is_tried_again_slowly(world: World) -> None:
    gone: str | None = None

    def refuse(verb: str, plural: str, body: Json) -> Refused | None:
        if (verb, plural) != ("patch", "pods"):
            return None
        if gone:
            return Refused(404, "NotFound", f'pods "{gone}" not found')
        return Refused(409, "Conflict", "the object has been modified")

    world.cluster.refuse = refuse
    await world.operate()
    await world.pool(replicas=1)
    name = (await world.until(lambda: world.cluster.all("pods")))[0]["metadata"]["name"]
    await world.cluster.start(name)
    await world.run(podName=name)
    await asyncio.sleep(1.2)
    assert 1 <= world.cluster.writes()["patch", "pods"] <= 3
    gone = name
    tried = await world.until(lambda: world.cluster.writes()["patch", "pods"])
    await asyncio.sleep(1.2)
    assert world.cluster.writes()["patch", "pods"] <= tried + 1
    await world.cluster.vanish("pods", name)
    assert (await world.until_phase("Failed"))["reason"] == "PodDeleted"


async def test_pod_of_a_run_that_succeeded_goes_before_its_task_run(world: World) -> None:
    world.cluster.autorun = 0.05
    await world.operate(succeeded_pod_seconds=0.5)
    await world.pool()
    await world.run()
    await world.until_phase("Succeeded")
    await world.until(lambda: not world.cluster.all("pods"))
    assert world.cluster.all("taskruns")[0]["status"]["phase"] == "Succeeded"


async def test_finished_run_goes_after_its_time(world: World) -> None:
    world.cluster.autorun = 0.05
    await world.operate(ttl_seconds=1.0)
    await world.pool()
    await world.run()
    await world.until(lambda: not world.cluster.all("taskruns"))
    assert not world.cluster.all("pods")


async def test_foreign_pod_of_the_same_name(world: World) -> None:
    await world.cluster.put("pods", {"metadata": {"name": "trn-1-1"}, "spec": {}})
    await world.operate()
    await world.pool()
    await world.run()
    failed = await world.until_phase("Failed")
    assert failed["reason"] == "AdmissionRefused"
    assert "not made for this run" in failed["message"]


async def test_leftover_of_a_former_run_of_the_same_name_gives_way(world: World) -> None:
    await world.pool()
    labels = {names.MANAGED_BY: names.MANAGER}
    owner = {"kind": "TaskRun", "name": "trn-1", "uid": "former", "controller": True, "apiVersion": names.API_VERSION}
    await world.cluster.put(
        "pods", {"metadata": {"name": "trn-1-1", "labels": labels, "ownerReferences": [owner]}, "spec": {}}
    )
    await world.operate()
    run = await world.run()

    def replaced() -> bool:
        pod = world.cluster.get("pods", "trn-1-1")
        return pod is not None and pod["metadata"]["ownerReferences"][0]["uid"] == run["metadata"]["uid"]

    await world.until(replaced)
