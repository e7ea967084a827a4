from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from skerry_objects import names
from skerry_objects.models import Condition
from skerry_objects.runner_pools import RunnerPool
from skerry_objects.task_runs import Reason
from skerry_operator.classifications import Refusal
from skerry_operator.decisions.actions import CreateIdlePods, Decision, DeletePod
from skerry_operator.decisions.runner_pools import PoolScene, decide_pool, pool_status
from skerry_operator.decisions.task_runs import Patience
from skerry_operator.pods import Pod
from tests.unit.operator.objects import NOW, ended, idle, pod, runner_pool, running, stamp, unschedulable, waiting

PATIENCE = Patience()


def scene(pool: RunnerPool, *pods: Pod, seconds: float = 0, **more: Any) -> PoolScene:
    return PoolScene(pool, pods, more.pop("taken", ()), NOW + timedelta(seconds=seconds), **more)


def look(pool: RunnerPool, *pods: Pod, **more: Any) -> Decision:
    return decide_pool(scene(pool, *pods, **more), PATIENCE)


def ready(pool: RunnerPool, *pods: Pod, **more: Any) -> Condition:
    return pool_status(scene(pool, *pods, **more), PATIENCE).conditions[0]


def held_up(pool: RunnerPool, *pods: Pod, **more: Any) -> list[tuple[str, str]]:
    found = pool_status(scene(pool, *pods, **more), PATIENCE).conditions[1:]
    assert all((each.type, each.status) == ("Waiting", "True") for each in found)
    return [(each.reason, each.message) for each in found]


def test_missing_pods_are_made() -> None:
    assert look(runner_pool(3), idle("a", **running())) == Decision((CreateIdlePods(2),))
    assert look(runner_pool(1), idle("a", **waiting())) == Decision()
    assert look(runner_pool(0)) == Decision()


SIZED: dict[str, Any] = {
    "spec": {"idleRequests": {"cpu": "50m"}},
    "resources": {"limits": {"cpu": "1"}},
}


@pytest.mark.parametrize(
    ("pool", "room", "small"),
    [
        (runner_pool(2, **SIZED), True, True),
        (runner_pool(2, **SIZED), False, False),
        (runner_pool(2), True, False),
        (runner_pool(2, **(SIZED | {"resources": {"limits": {"cpu": "40m"}}})), True, False),
        (runner_pool(2, **(SIZED | {"spec": {**SIZED["spec"], "isolation": "process"}})), True, False),
    ],
)
def test_missing_pods_are_small_where_they_can_grow(pool: RunnerPool, room: bool, small: bool) -> None:
    assert look(pool, room_to_grow=room) == Decision((CreateIdlePods(2, small),))


def test_pods_are_replaced_when_their_size_changes_and_not_when_room_does() -> None:
    sized = runner_pool(1, **SIZED)
    full = idle("a", **running())
    assert look(sized, full, room_to_grow=True) == Decision((CreateIdlePods(1, True),))
    assert look(sized, full, idle("b", template=sized, **running())).actions == (DeletePod("a", "uid-of-a", 7),)
    for room in (True, False):
        assert look(sized, idle("b", template=sized, **running()), room_to_grow=room) == Decision()


def test_claimed_pods_are_not_idle() -> None:
    labelled = pod("b", labels={names.POOL: "pool", names.RUN: "trn-1"}, **running())
    pods = (idle("a", **running()), labelled, idle("c", **running()))
    assert look(runner_pool(2), *pods, taken={"c"}) == Decision((CreateIdlePods(1),))
    status = pool_status(scene(runner_pool(2), *pods, taken={"c"}), PATIENCE)
    assert (status.replicas, status.idle, status.claimed, status.starting) == (1, 1, 2, 0)


UNBOUND: dict[str, Any] = {"node": None, "phase": "Pending"}
FULL: dict[str, Any] = {"node": None, **unschedulable(-5)}
PULLING: dict[str, Any] = waiting("ImagePullBackOff", "Back-off pulling image")
STARTING: dict[str, Any] = waiting()
SIDECAR_HELD_UP: dict[str, Any] = {
    "phase": "Pending",
    "containerStatuses": [
        {"name": "runner", "state": {"waiting": {"reason": "ContainerCreating"}}},
        {"name": "proxy", "state": {"waiting": {"reason": "ErrImagePull"}}},
    ],
}
INIT_HELD_UP: dict[str, Any] = {
    "phase": "Pending",
    "initContainerStatuses": [{"name": "init", "state": {"waiting": {"reason": "ErrImagePull"}}}],
    "containerStatuses": [{"name": "runner", "state": {"waiting": {"reason": "PodInitializing"}}}],
}


@pytest.mark.parametrize(
    ("state", "goes"),
    [
        (UNBOUND, True),
        (FULL, True),
        (PULLING, True),
        (INIT_HELD_UP, True),
        (STARTING, False),
        ({"phase": "Pending"}, False),
        (SIDECAR_HELD_UP, False),
        (running(-1), False),
        (running(-600), False),
        ({"deletion": 20, **PULLING}, False),
    ],
)
def test_of_too_many_only_those_go_that_cannot_have_work(state: dict[str, Any], goes: bool) -> None:
    expected = (DeletePod("a", "uid-of-a", 7),) if goes else ()
    assert look(runner_pool(0), idle("a", **state)).actions == expected


def test_the_youngest_of_too_many_go_and_no_more_than_are_too_many() -> None:
    pods = (
        idle("a", created=-20, **UNBOUND),
        idle("b", created=-10, **UNBOUND),
        idle("c", created=-5, **PULLING),
        idle("d", created=-1, **running(-1)),
    )
    assert look(runner_pool(2), *pods).actions == (DeletePod("c", "uid-of-c", 7), DeletePod("b", "uid-of-b", 7))
    assert look(runner_pool(0), *pods[2:]).actions == (DeletePod("c", "uid-of-c", 7),)


def test_runner_that_left_is_replaced_at_once_and_stays_for_a_moment() -> None:
    left = idle("a", created=-3, **ended(0, at=-1))
    assert look(runner_pool(1), left) == Decision((CreateIdlePods(1),), 59)
    assert look(runner_pool(0), left, seconds=58) == Decision((), 1)
    assert look(runner_pool(0), left, seconds=59).actions == (DeletePod("a", "uid-of-a", 7),)
    status = pool_status(scene(runner_pool(1), left), PATIENCE)
    assert (status.replicas, status.idle, status.claimed, status.starting) == (0, 0, 0, 0)


def test_runner_that_left_and_is_named_meanwhile_is_not_removed() -> None:
    left = idle("a", created=-100, **ended(0, at=-90))
    assert look(runner_pool(0), left, taken={"a"}) == Decision()


FAILED_TASK: dict[str, Any] = ended(1, at=-1, message="error: ValueError")


@pytest.mark.parametrize("end", [ended(0, at=-1), FAILED_TASK], ids=["task succeeded", "task failed"])
def test_runner_that_did_its_work_is_no_failure_however_short_it_ran(end: dict[str, Any]) -> None:
    pods = [idle(name, created=-12, **end) for name in "abc"]
    assert look(runner_pool(3), *pods) == Decision((CreateIdlePods(3),), 59)
    assert ready(runner_pool(3), *pods).reason == "Starting"


@pytest.mark.parametrize("end", [ended(0, at=20), ended(1, at=20, message="timeout: it took too long")])
def test_work_that_was_done_ends_the_back_off(end: dict[str, Any]) -> None:
    crash = idle("a", created=-20, **ended(1, at=-4))
    short = pod("b", labels={names.POOL: "pool", names.RUN: "trn-1"}, created=7, **end)
    assert look(runner_pool(3), crash, seconds=21).actions == (CreateIdlePods(1),)
    assert look(runner_pool(3), crash, short, seconds=21) == Decision((CreateIdlePods(3),))
    before = pod("b", labels={names.POOL: "pool", names.RUN: "trn-1"}, **ended(0, at=-3))
    assert look(runner_pool(3), crash, before, seconds=21).actions == (CreateIdlePods(1),)


def test_loss_by_the_infrastructure_is_replaced_at_once() -> None:
    decision = look(runner_pool(1), idle("a", phase="Failed", reason="Evicted"))
    assert CreateIdlePods(1) in decision.actions


def test_crashes_are_replaced_one_at_a_time_and_ever_later() -> None:
    crash = idle("a", created=-20, **ended(1, at=-4))
    assert look(runner_pool(3), crash) == Decision((), 6)
    assert look(runner_pool(3), crash, seconds=6) == Decision((CreateIdlePods(1),), 10)
    again = idle("b", created=7, **ended(1, at=9))
    assert look(runner_pool(3), crash, again, seconds=10) == Decision((), 10)
    assert look(runner_pool(3), crash, again, seconds=29).actions == (CreateIdlePods(1),)
    trying = idle("c", created=30, **running(31))
    assert look(runner_pool(3), crash, again, trying, seconds=32) == Decision((), 10)
    assert look(runner_pool(3), crash, again, trying, seconds=42) == Decision((CreateIdlePods(2),))


def test_pods_that_failed_together_are_one_failure() -> None:
    pods = [idle(name, created=-20, **ended(1, at=-4)) for name in "abcde"]
    assert look(runner_pool(5), *pods) == Decision((), 6)


def test_old_failures_are_removed_and_no_longer_count() -> None:
    crash = idle("a", created=-700, **ended(1, at=-601))
    assert look(runner_pool(1), crash) == Decision((DeletePod("a", "uid-of-a", 7), CreateIdlePods(1)))


def test_unschedulable_pods_are_held_and_not_replaced() -> None:
    assert look(runner_pool(1), idle("a", node=None, **unschedulable(-1000))).actions == ()


def test_changed_template_rolls() -> None:
    old = runner_pool(1, image="etl:0")
    stale = idle("a", template=old, **running())
    assert look(runner_pool(1), stale).actions == (CreateIdlePods(1),)
    assert look(runner_pool(1), stale, idle("b", **waiting())).actions == ()
    assert look(runner_pool(1), stale, idle("b", **running())).actions == (DeletePod("a", "uid-of-a", 7),)
    starting = idle("c", template=old, **waiting())
    assert look(runner_pool(1), starting).actions == (CreateIdlePods(1),)
    assert look(runner_pool(1), starting, idle("b", **running())).actions == (DeletePod("c", "uid-of-c", 7),)
    held_up = idle("d", template=old, **PULLING)
    assert look(runner_pool(1), held_up).actions == (DeletePod("d", "uid-of-d", 7), CreateIdlePods(1))


def test_ready_says_why_not() -> None:
    assert (ready(runner_pool(0)).status, ready(runner_pool(0)).reason) == ("True", "ScaledToZero")
    assert ready(runner_pool(1), idle("a", **running())).status == "True"
    assert ready(runner_pool(1), idle("a", **waiting())).reason == "Starting"
    crash = ready(runner_pool(1), idle("a", **ended(3, message="ImportError: etl")))
    assert (crash.status, crash.reason) == ("False", "Error")
    assert crash.message == "Pod a ended: Error (exit code 3): ImportError: etl"


def test_what_may_pass_is_named_when_it_has_lasted() -> None:
    bad = idle("a", **waiting("ErrImagePull", "manifest unknown"))
    first = ready(runner_pool(1), bad)
    assert (first.type, first.status, first.reason, first.message) == ("Ready", "False", "Starting", "")
    assert held_up(runner_pool(1), bad) == [("ImagePull", "Pod a: manifest unknown")]
    since = {"conditions": [first.to_json()]}
    assert look(runner_pool(1, since), bad, seconds=20).look_again == 100
    assert ready(runner_pool(1, since), bad, seconds=119).reason == "Starting"
    assert ready(runner_pool(1, since), bad, seconds=120).reason == "ImagePull"
    assert held_up(runner_pool(1, since), bad, seconds=120) == []
    assert ready(runner_pool(1, since), bad, seconds=120).last_transition_time == first.last_transition_time


def test_what_cannot_pass_is_named_at_once() -> None:
    assert ready(runner_pool(1), idle("a", **waiting("InvalidImageName", "bad"))).reason == "ImagePull"
    refusal = Refusal(Reason.REFUSED, "policy says no")
    assert ready(runner_pool(1), refusal=refusal).reason == "AdmissionRefused"
    quota = Refusal(Reason.QUOTA_EXCEEDED, "exceeded quota")
    assert ready(runner_pool(1), refusal=quota).reason == "Starting"
    assert held_up(runner_pool(1), refusal=quota) == [("QuotaExceeded", "exceeded quota")]


def test_transition_time_changes_with_the_status_only() -> None:
    before = {"conditions": [ready(runner_pool(1), seconds=-50).to_json()]}
    assert ready(runner_pool(1, before), idle("a", **waiting())).to_json()["lastTransitionTime"] == stamp(-50)
    assert ready(runner_pool(1, before), idle("a", **running())).to_json()["lastTransitionTime"] == stamp()


def test_selector_chooses_idle_pods() -> None:
    selector = pool_status(scene(runner_pool(1)), PATIENCE).selector
    assert selector == "app.kubernetes.io/managed-by=skerry,skerry.dev/pool=pool,!skerry.dev/run"
