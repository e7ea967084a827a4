from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from skerry_objects import names
from skerry_objects.task_runs import Phase, Reason, TaskRun, TaskRunStatus
from skerry_operator import statuses
from skerry_operator.classifications import Refusal
from skerry_operator.decisions.actions import (
    AdoptPod,
    Announce,
    CreatePod,
    Decision,
    DeletePod,
    DeleteTaskRun,
    WriteStatus,
)
from skerry_operator.decisions.task_runs import Patience, Scene, decide, decide_refused
from skerry_operator.pods import Pod
from tests.unit.operator.objects import (
    NOW,
    ended,
    pod,
    running,
    stamp,
    task_run,
    unschedulable,
    waiting,
)

PATIENCE = Patience()


def look(run: TaskRun, seen: Pod | None = None, seconds: float = 0, **scene: Any) -> Decision:
    known: dict[str, Any] = {"departed": None, "others": (), "has_pool": True} | scene
    return decide(Scene(run, seen, now=NOW + timedelta(seconds=seconds), **known), PATIENCE)


def written(decision: Decision) -> TaskRunStatus:
    (status,) = (action.status for action in decision.actions if isinstance(action, WriteStatus))
    return status


def recorded(run: TaskRun, decision: Decision, **spec: Any) -> TaskRun:
    """The TaskRun after the decision's write."""
    return task_run(written(decision).to_json(), **spec)


def test_new_run_gets_pod() -> None:
    assert look(task_run()) == Decision((CreatePod("trn-1-1"),))


def test_run_that_is_being_deleted_is_left_alone() -> None:
    assert look(task_run(deleted=True)) == Decision()


def test_nothing_is_written_while_all_is_as_usual() -> None:
    assert look(task_run(), pod(**waiting())) == Decision()
    assert look(task_run(), pod(node=None, phase="Pending")) == Decision()


def test_running_is_written_once() -> None:
    seen = pod(**running())
    first = look(task_run(), seen)
    status = written(first)
    assert (status.phase, status.pod_name, status.pod_uid, status.node) == (
        Phase.RUNNING,
        "trn-1-1",
        "uid-of-trn-1-1",
        "node-1",
    )
    assert (status.attempt, status.observed_generation) == (1, 1)
    assert look(recorded(task_run(), first), seen, seconds=100) == Decision()


def test_end_is_written_once_and_nothing_else_follows() -> None:
    seen = pod(**ended(0))
    first = look(task_run(), seen)
    status = written(first)
    assert (status.phase, status.reason, status.exit_code) == (Phase.SUCCEEDED, "Completed", 0)
    assert [action.reason for action in first.actions if isinstance(action, Announce)] == ["Succeeded"]
    again = look(recorded(task_run(), first), seen)
    assert again.actions == ()
    assert again.look_again == 299


def test_bad_end_is_announced() -> None:
    decision = look(task_run(), pod(**ended(137, "OOMKilled")))
    assert [action.reason for action in decision.actions if isinstance(action, Announce)] == ["OOMKilled"]


def test_pod_of_a_run_that_succeeded_goes_before_its_task_run() -> None:
    over = recorded(task_run(), look(task_run(), pod(**ended(0))))
    assert look(over, pod(**ended(0)), seconds=298).actions == ()
    assert look(over, pod(**ended(0)), seconds=299) == Decision((DeletePod("trn-1-1", "uid-of-trn-1-1"),), 3300)
    assert look(over, pod(**ended(0), deletion=0), seconds=299) == Decision((), 3300)
    assert look(over, None, seconds=299) == Decision((), 3300)


def test_pod_of_a_run_that_failed_goes_with_its_task_run() -> None:
    over = recorded(task_run(), look(task_run(), pod(**ended(1))))
    assert look(over, pod(**ended(1)), seconds=3598) == Decision((), 1)
    assert look(over, pod(**ended(1)), seconds=3599) == Decision((DeleteTaskRun(),))


def test_run_goes_after_its_time() -> None:
    over = recorded(task_run(), look(task_run(), pod(**ended(0))))
    assert look(over, pod(**ended(0)), seconds=3599) == Decision((DeleteTaskRun(),))


def test_image_is_waited_for_and_given_up() -> None:
    seen = pod(**waiting("ErrImagePull", "manifest unknown"))
    first = look(task_run(), seen)
    assert (written(first).phase, written(first).reason, written(first).message) == (
        Phase.STARTING,
        "ImagePull",
        "manifest unknown",
    )
    assert first.look_again == 120
    held = recorded(task_run(), first)
    back_off = pod(**waiting("ImagePullBackOff", "Back-off pulling image"))
    assert look(held, back_off, seconds=50) == Decision((), 70)
    last = look(held, back_off, seconds=120)
    assert (written(last).phase, written(last).reason, written(last).message) == (
        Phase.FAILED,
        "ImagePull",
        "manifest unknown",
    )
    over = recorded(task_run(), last)
    assert look(over, back_off, seconds=120).actions == (DeletePod("trn-1-1", "uid-of-trn-1-1"),)


def test_image_that_is_pulled_at_last_is_forgotten() -> None:
    held = recorded(task_run(), look(task_run(), pod(**waiting("ErrImagePull", "no route"))))
    status = written(look(held, pod(**running()), seconds=20))
    assert (status.phase, status.reason, status.message) == (Phase.RUNNING, None, None)
    assert statuses.change(held.status, status)["reason"] is None


def test_bad_image_name_fails_at_once() -> None:
    assert written(look(task_run(), pod(**waiting("InvalidImageName", "bad")))).phase is Phase.FAILED


def test_unschedulable_is_said_after_a_moment_and_given_up_later() -> None:
    assert look(task_run(), pod(node=None, **unschedulable(-2))) == Decision((), 3)
    said = look(task_run(), pod(node=None, **unschedulable(-6)))
    assert (written(said).phase, written(said).reason, said.look_again) == (Phase.PENDING, "Unschedulable", 294)
    last = look(task_run(), pod(node=None, **unschedulable(-300)))
    assert (written(last).phase, written(last).message) == (Phase.FAILED, "0/3 nodes are available")


def test_a_full_cluster_is_waited_for() -> None:
    full = unschedulable(
        -3600, "0/3 nodes are available: preemption: 0/3 nodes: 3 No preemption victims found for incoming pod."
    )
    said = look(task_run(), pod(node=None, **full))
    assert (written(said).phase, written(said).reason, said.look_again) == (Phase.PENDING, "NoRoom", 82_800)


def test_missing_pool_is_waited_for_and_given_up() -> None:
    first = look(task_run(), has_pool=False)
    assert (written(first).reason, first.look_again) == ("PoolMissing", 5)
    held = recorded(task_run(), first)
    assert look(held, has_pool=False, seconds=10).actions == ()
    assert look(held, seconds=10).actions == (CreatePod("trn-1-1"),)
    assert written(look(held, has_pool=False, seconds=30)).phase is Phase.FAILED


def test_quota_is_waited_for_and_other_refusals_are_not() -> None:
    scene = Scene(task_run(), None, None, (), True, NOW)
    quota = decide_refused(scene, Refusal(Reason.QUOTA_EXCEEDED, "exceeded quota"), PATIENCE)
    assert (written(quota).phase, written(quota).reason, quota.look_again) == (Phase.PENDING, "QuotaExceeded", 5)
    refused = decide_refused(scene, Refusal(Reason.REFUSED, "policy"), PATIENCE)
    assert (written(refused).phase, written(refused).reason) == (Phase.FAILED, "AdmissionRefused")


def test_vanished_pod_is_an_end() -> None:
    run = recorded(task_run(), look(task_run(), pod(**running())))
    assert written(look(run)).reason == Reason.POD_DELETED
    assert written(look(run, departed=pod(**running()))).reason == Reason.POD_DELETED
    assert written(look(task_run(), departed=pod(**ended(4)))).exit_code == 4


def test_departed_pod_of_another_run_of_this_name_does_not_count() -> None:
    former = pod(owner=("TaskRun", "trn-1", "former"), **running())
    assert look(task_run(), departed=former) == Decision((CreatePod("trn-1-1"),))


def test_pod_that_is_deleted_has_its_grace_period() -> None:
    decision = look(task_run(), pod(deletion=20, **running()))
    assert decision == Decision((), 36)
    assert written(look(task_run(), pod(deletion=-20, **running()))).reason == Reason.NODE_LOST


def test_raised_attempt() -> None:
    first = recorded(task_run(), look(task_run(), pod(**running())))
    raised = task_run(first.status.to_json(), attempt=2)
    decision = look(raised, others=[pod(**running())])
    assert decision.actions[:2] == (DeletePod("trn-1-1", "uid-of-trn-1-1"), CreatePod("trn-1-2"))
    status = written(decision)
    assert (status.phase, status.attempt, status.pod_name, status.started_at) == (Phase.PENDING, 2, None, None)
    assert statuses.change(raised.status, status)["podName"] is None


def test_ended_pod_of_an_earlier_attempt_stays() -> None:
    over = recorded(task_run(), look(task_run(), pod(**ended(1))))
    decision = look(task_run(over.status.to_json(), attempt=2), others=[pod(**ended(1))])
    assert not any(isinstance(action, DeletePod) for action in decision.actions)


def test_warm_pod_is_adopted() -> None:
    warm = pod("pool-abcde", owner=("RunnerPool", "pool", "p"), **running())
    decision = look(task_run(podName="pool-abcde"), warm)
    assert decision.actions[0] == AdoptPod(warm)
    assert written(decision).pod_name == "pool-abcde"


def test_warm_pod_that_is_gone_is_an_end_and_not_made() -> None:
    decision = look(task_run(podName="pool-abcde"))
    assert written(decision).reason == Reason.POD_DELETED
    assert not any(isinstance(action, CreatePod) for action in decision.actions)


def test_warm_pod_of_another_run_is_not_taken() -> None:
    taken = pod("pool-abcde", owner=("RunnerPool", "pool", "p"), labels={names.RUN: "trn-9"}, **running())
    assert written(look(task_run(podName="pool-abcde"), taken)).reason == Reason.REFUSED


def test_cold_pod_gives_way_to_a_warm_one() -> None:
    warm = pod("pool-abcde", **running())
    decision = look(task_run(podName="pool-abcde"), warm, others=[pod(**waiting())])
    assert decision.actions[0] == DeletePod("trn-1-1", "uid-of-trn-1-1")


def warm(**state: Any) -> Pod:
    return pod("pool-abcde", owner=("RunnerPool", "pool", "p"), node="node-2", **state)


@pytest.mark.parametrize(
    ("code", "message", "phase", "reason"),
    [
        (0, "", Phase.SUCCEEDED, "Completed"),
        (1, "error: ValueError", Phase.FAILED, "Error"),
        (1, "timeout: too long", Phase.FAILED, "DeadlineExceeded"),
    ],
)
def test_warm_pod_that_is_over_is_adopted_and_its_end_written_at_once(
    code: int, message: str, phase: Phase, reason: str
) -> None:
    over = warm(**ended(code, at=-3, message=message))
    decision = look(task_run(podName="pool-abcde"), over)
    assert decision.actions[0] == AdoptPod(over)
    status = written(decision)
    assert (status.phase, status.reason, status.exit_code, status.pod_name) == (phase, reason, code, "pool-abcde")
    times = status.to_json()
    assert (times["startedAt"], times["finishedAt"]) == (stamp(-13), stamp(-3))
    adopted = pod("pool-abcde", node="node-2", **ended(code, at=-3, message=message))
    assert look(recorded(task_run(), decision, podName="pool-abcde"), adopted).actions == ()


COLD = {
    "waiting": pod(**waiting("ErrImagePull", "manifest unknown")),
    "running": pod(**running()),
    "failed": pod(**ended(1)),
    "evicted": pod(phase="Failed", reason="Evicted"),
}


@pytest.mark.parametrize("cold", COLD.values(), ids=COLD)
@pytest.mark.parametrize("end", [running(-2), ended(0, at=-1)], ids=["warm runs", "warm is over"])
def test_status_becomes_that_of_the_warm_pod_that_was_faster(cold: Pod, end: dict[str, Any]) -> None:
    before = recorded(task_run(), look(task_run(), cold))
    assert before.status.pod_uid == "uid-of-trn-1-1"
    faster = warm(**end)
    decision = look(task_run(before.status.to_json(), podName="pool-abcde"), faster, others=[cold])
    removal = () if cold.is_leaving else (DeletePod("trn-1-1", "uid-of-trn-1-1"),)
    assert decision.actions[: len(removal) + 1] == (*removal, AdoptPod(faster))
    assert written(decision) == written(look(task_run(podName="pool-abcde"), faster))


@pytest.mark.parametrize("cold", COLD.values(), ids=COLD)
def test_status_of_a_cold_pod_is_not_said_of_a_warm_one(cold: Pod) -> None:
    before = recorded(task_run(), look(task_run(), cold))
    overtaken = task_run(before.status.to_json(), podName="pool-abcde")
    starting = written(look(overtaken, warm(**waiting())))
    assert (starting.phase, starting.pod_uid, starting.reason) == (Phase.PENDING, None, None)
    lost = look(overtaken)
    assert (written(lost).reason, written(lost).pod_name) == (Reason.POD_DELETED, None)
    assert look(recorded(task_run(), lost, podName="pool-abcde")).actions == ()


def test_what_held_a_pod_up_is_not_said_of_one_that_is_over() -> None:
    held = recorded(task_run(), look(task_run(), pod(**waiting("ErrImagePull", "no route"))))
    status = written(look(held, pod(**ended(0, at=30)), seconds=31))
    assert [(entry.type, entry.status) for entry in status.conditions if entry.type != "PodScheduled"] == [
        ("Started", "True"),
        ("Succeeded", "True"),
    ]


def test_pod_of_something_else_is_not_touched() -> None:
    decision = look(task_run(), pod(owner=None, **running()))
    assert written(decision).reason == Reason.REFUSED
    assert not any(isinstance(action, DeletePod) for action in decision.actions)


def test_late_news_do_not_change_an_end() -> None:
    lost = recorded(task_run(), look(task_run(), pod(phase="Unknown")))
    decision = look(lost, pod(**running()))
    assert decision.actions == (DeletePod("trn-1-1", "uid-of-trn-1-1"),)


def test_times_are_those_of_the_cluster() -> None:
    status = written(look(task_run(), pod(**ended(0, at=-7)))).to_json()
    assert (status["startedAt"], status["finishedAt"]) == (stamp(-17), stamp(-7))
