"""Pods that wait small: they grow when they take a run, and runs go on where there is no room for that."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.end_to_end.clusters import condition, eventually
from tests.end_to_end.installations import Installation
from tests.end_to_end.test_warm import WORKFLOW, waiting, warm

SMALL = {"cpu": "3m", "memory": "64Mi"}
# By the ratios of values.yaml: 1 CPU and 2 GiB.
STANDARD = {"cpu": "5m", "memory": "102Mi"}


@pytest.fixture(autouse=True)
def _resizable(installation: Installation) -> None:
    kinds = json.loads(installation.own.kubectl("get", "--raw", "/api/v1"))["resources"]
    if not any(kind["name"] == "pods/resize" for kind in kinds):
        pytest.skip("this Kubernetes cannot resize Pods")


def requests(pod: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = pod["spec"]["containers"][0]["resources"]["requests"]
    return found


def actual(pod: dict[str, Any]) -> dict[str, str]:
    """What the kubelet says that the container has."""
    found: dict[str, str] = pod["status"]["containerStatuses"][0]["resources"]["requests"]
    return found


def until_waiting(skerry: Installation, plan: str) -> dict[str, Any]:
    """The Pod that waits, once its application is imported."""
    (pod,) = eventually(lambda: list(waiting(skerry, plan).values()), 60, lambda pods: len(pods) == 1)
    name = pod["metadata"]["name"]
    eventually(lambda: skerry.tasks.kubectl("logs", name), 20, lambda text: '"connected"' in text)
    found: dict[str, Any] = skerry.tasks.get("pod", name)
    return found


def idle(skerry: Installation, plan: str) -> list[dict[str, Any]]:
    """Pods without a run, however far they are."""
    selector = f"skerry.dev/workflow={WORKFLOW},!skerry.dev/run"
    pods = skerry.tasks.get("pods", "--selector", selector)
    mine = [pod for pod in pods if f"-{plan}-" in pod["metadata"]["name"]]
    return [pod for pod in mine if "deletionTimestamp" not in pod["metadata"]]


def resized(skerry: Installation, run_id: str) -> dict[str, str]:
    """What a run's TaskRun says of its Pod's growth."""
    return condition(skerry.tasks.get("taskrun", run_id), "Resized")


def test_a_pod_grows_when_it_takes_a_run(skerry: Installation) -> None:
    with warm(skerry, min=1, max=1, idleSeconds=5):
        pod = until_waiting(skerry, "standard")
        assert requests(pod) == actual(pod) == SMALL
        assert pod["status"]["qosClass"] == "Burstable"
        name, limits = pod["metadata"]["name"], pod["spec"]["containers"][0]["resources"]["limits"]
        run_id = skerry.start("faults/grows", 12).id
        grown = eventually(lambda: skerry.tasks.get("pod", name), 15, lambda pod: actual(pod) == STANDARD)
        assert requests(grown) == STANDARD
        assert grown["spec"]["containers"][0]["resources"]["limits"] == limits
        assert grown["status"]["containerStatuses"][0]["restartCount"] == 0
        done = skerry.finished(run_id)
        assert (done.status, len(done.attempts), done.attempts[0].pod_name) == ("succeeded", 1, name)
        assert resized(skerry, run_id) == {}


def test_a_run_goes_on_where_its_pod_cannot_grow(skerry: Installation) -> None:
    with warm(skerry, min=1, max=1, idleSeconds=5):
        name = until_waiting(skerry, "huge")["metadata"]["name"]
        run_id = skerry.start("faults/outgrows", 20).id
        said = eventually(lambda: resized(skerry, run_id), 20)
        assert (said["status"], said["reason"]) == ("False", "Infeasible"), said
        events = skerry.tasks.get("events", "--field-selector", f"involvedObject.name={run_id},reason=NotResized")
        assert [event["type"] for event in events] == ["Warning"]
        before = {pod["metadata"]["name"] for pod in idle(skerry, "huge")}
        if before:  # Made before the kubelet had answered.
            skerry.tasks.delete("pods", *before, "--grace-period=1")
        (other,) = eventually(
            lambda: [pod for pod in idle(skerry, "huge") if pod["metadata"]["name"] not in before], 15
        )
        assert requests(other)["cpu"] == "20"
        done = skerry.finished(run_id)
        assert (done.status, len(done.attempts), done.attempts[0].pod_name) == ("succeeded", 1, name)
