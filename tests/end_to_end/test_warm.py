"""Pods that wait ahead of need: runs begin in them at once, one each, and nothing waits when there is no need."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.end_to_end.clusters import eventually
from tests.end_to_end.installations import Installation
from tests.end_to_end.test_faults import OPERATOR, assert_all_succeed

WORKFLOW = "faults"


def say(skerry: Installation, **spec: Any) -> None:
    """Change the Workflow's spec."""
    skerry.tasks.kubectl("patch", "workflow", WORKFLOW, "--type", "merge", "--patch", json.dumps({"spec": spec}))


@contextmanager
def warm(skerry: Installation, **policy: int) -> Iterator[None]:
    """Have Pods wait as `policy` says."""
    say(skerry, warm=policy)
    try:
        yield
    finally:
        say(skerry, warm=None, isolation=None, capacity=None, env=None)


def waiting(skerry: Installation, plan: str = "starter") -> dict[str, Any]:
    """Pods that wait for work and run, by name."""
    selector = f"skerry.dev/workflow={WORKFLOW},!skerry.dev/run"
    found = skerry.tasks.get("pods", "--selector", selector, "--field-selector", "status.phase=Running")
    return {
        pod["metadata"]["name"]: pod
        for pod in found
        if f"-{plan}-" in pod["metadata"]["name"] and "deletionTimestamp" not in pod["metadata"]
    }


def until_waiting(skerry: Installation, count: int) -> set[str]:
    """The Pods that wait, once there are so many and their applications are imported."""
    names = set(eventually(lambda: waiting(skerry), 60, lambda pods: len(pods) == count))
    for name in names:
        eventually(lambda name=name: skerry.tasks.kubectl("logs", name), 20, lambda text: '"connected"' in text)
    return names


def pod_of(skerry: Installation, run_id: str) -> str | None:
    """The Pod of a run's last attempt."""
    name: str | None = skerry.finished(run_id).attempts[-1].pod_name
    return name


def test_a_run_begins_in_a_pod_that_waits(skerry: Installation) -> None:
    with warm(skerry, min=2, max=5, idleSeconds=5):
        before = until_waiting(skerry, 2)
        run_id = skerry.start("faults/quick", 1).id
        taken = pod_of(skerry, run_id)
        assert taken in before
        assert skerry.told(run_id) == ("Succeeded", "Completed")
        seen = skerry.tasks.get("taskrun", run_id)
        assert (seen["spec"]["podName"], seen["status"]["podName"]) == (taken, taken)
        pod = skerry.tasks.get("pod", str(taken))["metadata"]
        assert pod["labels"]["skerry.dev/run"] == run_id
        assert [(owner["kind"], owner["name"]) for owner in pod["ownerReferences"]] == [("TaskRun", run_id)]
        until_waiting(skerry, 2)
        other = pod_of(skerry, skerry.start("faults/quick", 2).id)
        assert other != taken, "one run, one container"


def test_pods_wait_when_there_is_need_and_no_longer(skerry: Installation) -> None:
    with warm(skerry, min=0, max=1, idleSeconds=8):
        assert skerry.finished(skerry.start("faults/quick", 1).id).status == "succeeded"
        (name,) = until_waiting(skerry, 1)
        assert pod_of(skerry, skerry.start("faults/quick", 2).id) == name
        eventually(lambda: waiting(skerry), 40, lambda pods: not pods)


def test_a_pod_that_is_deleted_while_it_waits_or_is_claimed(skerry: Installation) -> None:
    with warm(skerry, min=1, max=1, idleSeconds=5):
        (name,) = until_waiting(skerry, 1)
        skerry.tasks.delete("pod", name, "--grace-period=0", "--force")
        (other,) = eventually(lambda: set(waiting(skerry)) - {name}, 60)
        until_waiting(skerry, 1)
        run_id = skerry.start("faults/slow", 3).id
        skerry.tasks.delete("pod", other, "--grace-period=0", "--force")
        done = skerry.finished(run_id, 120)
        assert (done.status, len(done.attempts)) == ("succeeded", 2), "what the cluster took away is repeated"


def test_a_node_is_drained_of_pods_that_wait(skerry: Installation) -> None:
    with warm(skerry, min=2, max=2, idleSeconds=5):
        before = until_waiting(skerry, 2)
        node = next(iter(waiting(skerry).values()))["spec"]["nodeName"]
        selector = f"skerry.dev/workflow={WORKFLOW},!skerry.dev/run"
        try:
            skerry.tasks.kubectl("drain", node, "--pod-selector", selector, "--delete-emptydir-data", "--timeout=90s")
            assert not before & waiting(skerry).keys()
            run_id = skerry.start("faults/quick", 1).id
        finally:
            skerry.tasks.kubectl("uncordon", node)
        done = skerry.finished(run_id, 120)
        assert (done.status, len(done.attempts)) == ("succeeded", 1), "nobody's run was in them"
        until_waiting(skerry, 2)


def test_warm_runs_need_no_operator(skerry: Installation) -> None:
    with warm(skerry, min=2, max=2, idleSeconds=5):
        before = until_waiting(skerry, 2)
        skerry.own.kubectl("scale", "deployment/skerry-operator", "--replicas=0", "--timeout=60s")
        eventually(lambda: skerry.own.names("pods", "--selector", OPERATOR), 60, lambda names: not names)
        runs = [skerry.start("faults/quick", number).id for number in range(2)]
        assert {pod_of(skerry, run_id) for run_id in runs} == before
        skerry.own.kubectl("scale", "deployment/skerry-operator", "--replicas=2")
        assert [skerry.told(run_id) for run_id in runs] == [("Succeeded", "Completed")] * 2


@pytest.mark.parametrize("how", ["api", "kubectl"])
def test_a_warm_run_is_canceled(skerry: Installation, how: str) -> None:
    with warm(skerry, min=1, max=1, idleSeconds=5):
        (name,) = until_waiting(skerry, 1)
        run_id = skerry.start("faults/slow", 60).id
        skerry.begun(run_id)
        eventually(lambda: run_id in skerry.tasks.names("taskruns"))
        if how == "api":
            skerry.cli("runs", "cancel", run_id)
        else:
            skerry.tasks.delete("taskrun", run_id)
        assert skerry.finished(run_id).status == "canceled"
        eventually(
            lambda: skerry.tasks.find("pod", name),
            60,
            lambda pod: (pod or {}).get("status", {}).get("phase") != "Running",
        )


def test_a_new_version_waits_before_the_old_one_leaves(skerry: Installation) -> None:
    with warm(skerry, min=1, max=1, idleSeconds=5):
        (old,) = until_waiting(skerry, 1)
        say(skerry, env=[{"name": "FLAVOUR", "value": "new"}])
        runs: list[str] = []

        def rolled_over() -> bool:
            runs.append(skerry.start("faults/quick", len(runs)).id)
            pod = pod_of(skerry, runs[-1]) or ""
            return pod.startswith("wfv-") and pod.rsplit("-", 2)[0] != old.rsplit("-", 2)[0]

        eventually(rolled_over, 60)
        assert_all_succeed(skerry, runs)
        eventually(lambda: {name.rsplit("-", 2)[0] for name in waiting(skerry)}, 60, lambda found: len(found) == 1)


def test_shared_pods_take_many_runs(skerry: Installation) -> None:
    with warm(skerry, min=0, max=1, idleSeconds=5):
        say(skerry, isolation="process", capacity=4)
        eventually(lambda: condition_version(skerry), 60)
        runs = [skerry.start("faults/slow", 1).id for _ in range(8)]
        assert_all_succeed(skerry, runs)
        assert len({pod_of(skerry, run_id) for run_id in runs}) == 1
        assert not skerry.tasks.names("taskruns") & set(runs), "the record has them; objects would be as many as runs"
        eventually(lambda: waiting(skerry), 40, lambda pods: not pods)


def condition_version(skerry: Installation) -> bool:
    """Whether the Workflow as it is now is in use."""
    found = skerry.tasks.get("workflow", WORKFLOW)
    ready = next((entry for entry in found["status"]["conditions"] if entry["type"] == "Ready"), {})
    return ready.get("status") == "True" and ready.get("observedGeneration") == found["metadata"]["generation"]
