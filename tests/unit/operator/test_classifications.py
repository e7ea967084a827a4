from __future__ import annotations

from typing import Any

import pytest

from skerry_objects.task_runs import Reason
from skerry_operator.classifications import Stage, classify, classify_departed, classify_refusal
from tests.unit.operator.objects import NOW, disrupted, ended, pod, running, unschedulable, waiting

ENDS: list[tuple[str, dict[str, Any], Reason, int | None]] = [
    ("exit 0", ended(0), Reason.COMPLETED, 0),
    ("exit 3", ended(3), Reason.ERROR, 3),
    ("OOM", ended(137, "OOMKilled"), Reason.OOM_KILLED, 137),
    ("OOM of an evicted Pod", ended(137, "OOMKilled", **disrupted("TerminationByKubelet")), Reason.OOM_KILLED, 137),
    ("evicted", {"phase": "Failed", "reason": "Evicted", "message": "low on memory"}, Reason.EVICTED, None),
    ("evicted by kubelet", ended(137, **disrupted("TerminationByKubelet")), Reason.EVICTED, 137),
    ("drained", ended(143, **disrupted("EvictionByEvictionAPI")), Reason.EVICTED, 143),
    ("preempted", ended(143, **disrupted("PreemptionByScheduler")), Reason.PREEMPTED, 143),
    ("preempted by kubelet", {"phase": "Failed", "reason": "Preempting"}, Reason.PREEMPTED, None),
    ("tainted node", ended(137, **disrupted("DeletionByTaintManager")), Reason.NODE_LOST, 137),
    ("node gone", {"phase": "Failed", **disrupted("DeletionByPodGC", "node not found")}, Reason.NODE_LOST, None),
    ("node shut down", ended(137, reason="Error") | {"reason": "Terminated"}, Reason.NODE_LOST, 137),
    ("unknown phase", {"phase": "Unknown"}, Reason.NODE_LOST, None),
    ("unknown status", ended(137, "ContainerStatusUnknown"), Reason.NODE_LOST, 137),
    ("deadline", ended(137) | {"reason": "DeadlineExceeded"}, Reason.DEADLINE_EXCEEDED, 137),
    ("no such command", ended(128, "StartError", message="exec: not found"), Reason.CONTAINER_ERROR, 128),
    ("node was full", {"phase": "Failed", "reason": "OutOfcpu"}, Reason.EVICTED, None),
    ("failed without a word", {"phase": "Failed"}, Reason.ERROR, None),
    ("exit 0 in a Pod that a sidecar keeps", ended(0) | {"phase": "Running"}, Reason.COMPLETED, 0),
    ("time-out by the runner", ended(1, message="timeout: ran too long"), Reason.DEADLINE_EXCEEDED, 1),
    ("memory, by the runner", ended(1, message="oom_killed: used 600 MiB"), Reason.OOM_KILLED, 1),
    ("canceled by the runner", ended(1, message="canceled: the run was canceled"), Reason.CANCELED, 1),
    ("exception", ended(1, message="error: the task raised ValueError"), Reason.ERROR, 1),
    ("words of a program that is no runner", ended(3, message="timeout: no"), Reason.ERROR, 3),
    (
        "stopped by a drain",
        ended(1, message="runner_lost: told", **disrupted("EvictionByEvictionAPI")),
        Reason.EVICTED,
        1,
    ),
    ("exit 0 while it was drained", ended(0, **disrupted("EvictionByEvictionAPI")), Reason.COMPLETED, 0),
]


@pytest.mark.parametrize(("status", "reason", "code"), [row[1:] for row in ENDS], ids=[row[0] for row in ENDS])
def test_every_end_has_a_reason(status: dict[str, Any], reason: Reason, code: int | None) -> None:
    sight = classify(pod(**status), NOW)
    assert (sight.stage, sight.reason, sight.exit_code) == (Stage.ENDED, reason, code)
    assert sight.message or reason is Reason.COMPLETED


def test_the_runner_says_why() -> None:
    assert classify(pod(**ended(1, message="timeout: ran longer than 30 s")), NOW).message == "ran longer than 30 s"
    assert classify(pod(deletion=10, **ended(1, message="runner_lost: told")), NOW).reason is Reason.POD_DELETED
    assert classify(pod(deletion=10, **ended(1, message="canceled: told")), NOW).reason is Reason.CANCELED


def test_deleted_pod_ends_by_its_node_or_by_time() -> None:
    assert classify(pod(deletion=10, **running()), NOW).stage is Stage.RUNNING
    assert classify(pod(deletion=-10, **running()), NOW).stage is Stage.RUNNING
    assert classify(pod(deletion=-20, **running()), NOW).reason is Reason.NODE_LOST
    preempted = running() | disrupted("PreemptionByScheduler")
    assert classify(pod(deletion=-20, **preempted), NOW).reason is Reason.PREEMPTED
    assert classify(pod(deletion=10, **ended(143)), NOW).reason is Reason.POD_DELETED


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (running(), Reason.POD_DELETED),
        (waiting(), Reason.POD_DELETED),
        (running() | disrupted("DeletionByTaintManager"), Reason.NODE_LOST),
        (running() | disrupted("PreemptionByScheduler"), Reason.PREEMPTED),
        (ended(0), Reason.COMPLETED),
        (ended(2), Reason.ERROR),
    ],
)
def test_departed_pod_is_known_by_its_last_look(status: dict[str, Any], reason: Reason) -> None:
    assert classify_departed(pod(**status), NOW).reason is reason


@pytest.mark.parametrize(
    ("word", "reason", "hopeless"),
    [
        ("ErrImagePull", Reason.IMAGE_PULL, False),
        ("ImagePullBackOff", Reason.IMAGE_PULL, False),
        ("InvalidImageName", Reason.IMAGE_PULL, True),
        ("ErrImageNeverPull", Reason.IMAGE_PULL, True),
        ("CreateContainerConfigError", Reason.CONFIG_ERROR, False),
        ("CreateContainerError", Reason.CONTAINER_ERROR, False),
        ("RunContainerError", Reason.CONTAINER_ERROR, False),
        ("ContainerCreating", None, False),
        ("PodInitializing", None, False),
    ],
)
def test_waits(word: str, reason: Reason | None, hopeless: bool) -> None:
    sight = classify(pod(**waiting(word, "words of the cluster")), NOW)
    assert (sight.stage, sight.reason, sight.hopeless) == (Stage.WAITING, reason, hopeless)
    assert sight.message == ("words of the cluster" if reason else None)


def test_unschedulable_pod_waits_since_the_scheduler_said_so() -> None:
    sight = classify(pod(node=None, **unschedulable(-40)), NOW)
    assert sight.reason is Reason.UNSCHEDULABLE
    assert sight.since is not None
    assert (NOW - sight.since).total_seconds() == 40


def test_gated_pod_just_waits() -> None:
    gate = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
    assert classify(pod(node=None, phase="Pending", conditions=[gate]), NOW).reason is None


@pytest.mark.parametrize(
    ("status", "message", "reason"),
    [
        (403, 'pods "x" is forbidden: exceeded quota: team, requested: cpu=1', Reason.QUOTA_EXCEEDED),
        (403, 'admission webhook "policy" denied the request: no', Reason.REFUSED),
        (403, "violates PodSecurity", Reason.REFUSED),
        (422, "spec.volumes: Required value", Reason.REFUSED),
        (400, "bad request", Reason.REFUSED),
        (403, 'User "x" cannot create resource "pods" in API group ""', None),
        (409, "quota was modified", None),
        (429, "slow down", None),
        (500, "failed calling webhook", None),
        (404, 'namespaces "tasks" not found', None),
    ],
)
def test_refusals(status: int, message: str, reason: Reason | None) -> None:
    refusal = classify_refusal(status, message)
    assert (refusal.reason if refusal else None) == reason


def test_long_messages_are_cut() -> None:
    sight = classify(pod(**ended(1, message="x" * 5000)), NOW)
    assert sight.message is not None
    assert len(sight.message) == 1024
