"""A Pod that waited small and has a run: it grows, or the TaskRun says why not, and the run goes on."""

from __future__ import annotations

from typing import Any

import pytest

from skerry_objects.models import Condition
from skerry_objects.task_runs import Phase, Reason, TaskRun, TaskRunStatus
from skerry_operator.classifications import Refusal
from skerry_operator.decisions.actions import AdoptPod, Announce, Decision, DeletePod, ResizePod, WriteStatus
from skerry_operator.decisions.task_runs import Patience, Scene, decide
from skerry_operator.pods import Pod
from tests.unit.operator.objects import NOW, condition, ended, pod, running, task_run, waiting

FULL = {"cpu": "1", "memory": "2Gi"}
SMALL: dict[str, Any] = {"requests": {"cpu": "50m", "memory": "64Mi"}, "claimed": FULL}
GROWN: dict[str, Any] = {"requests": FULL, "claimed": FULL}
QUOTA = Refusal(Reason.QUOTA_EXCEEDED, "exceeded quota: few")


def claimed(**state: Any) -> Pod:
    return pod("pool-abcde", **state)


def deferred(
    reason: str = "Deferred", message: str = "Node didn't have enough resource: cpu", since: float = -60
) -> dict[str, Any]:
    return running() | {"conditions": [condition("PodResizePending", "True", reason, message, since)]}


def look(seen: Pod, status: TaskRunStatus | None = None, **more: Any) -> Decision:
    run = task_run(None if status is None else status.to_json(), podName="pool-abcde")
    return decide(Scene(run, seen, None, (), True, NOW, **more), Patience())


def written(decision: Decision) -> TaskRunStatus:
    (status,) = (action.status for action in decision.actions if isinstance(action, WriteStatus))
    return status


def resized(status: TaskRunStatus) -> tuple[str, str, str] | None:
    found = [entry for entry in status.conditions if entry.type == "Resized"]
    return (found[0].status, found[0].reason, found[0].message) if found else None


def warnings(decision: Decision) -> list[str]:
    return [action.message for action in decision.actions if isinstance(action, Announce) and action.kind == "Warning"]


def test_warm_pod_grows_when_it_is_adopted() -> None:
    waited = pod("pool-abcde", owner=("RunnerPool", "pool", "p"), **SMALL, **running())
    decision = look(waited)
    assert decision.actions[:2] == (AdoptPod(waited), ResizePod(waited))
    assert waited.ungrown == FULL
    assert resized(written(decision)) is None, "that all is well costs no words"


def test_pod_grows_whenever_it_is_seen_small() -> None:
    said = written(look(claimed(**GROWN, **running())))
    seen = claimed(**SMALL, **running())
    assert look(seen, said) == Decision((ResizePod(seen),))
    assert look(claimed(**GROWN, **running()), said) == Decision()


@pytest.mark.parametrize("state", [running() | {"deletion": 20}, ended(0), ended(1), waiting()])
def test_pod_that_does_not_run_is_not_asked_to_grow(state: dict[str, Any]) -> None:
    assert not any(isinstance(action, ResizePod) for action in look(claimed(**SMALL, **state)).actions)


@pytest.mark.parametrize(
    ("state", "more", "reason", "message"),
    [
        (GROWN | deferred(), {}, "Deferred", "Node didn't have enough resource: cpu"),
        (GROWN | deferred("Infeasible", "Node didn't have enough capacity"), {}, "Infeasible", None),
        (GROWN | deferred(message=""), {}, "Deferred", "its node has no room"),
        (SMALL | running(), {"unresized": QUOTA}, "QuotaExceeded", "exceeded quota: few"),
        (SMALL | running(), {"unresized": Refusal(Reason.REFUSED, "forbidden")}, "AdmissionRefused", "forbidden"),
    ],
)
def test_no_room_is_said_once_and_the_run_goes_on(
    state: dict[str, Any], more: dict[str, Any], reason: str, message: str | None
) -> None:
    first = look(claimed(**state), **more)
    status = written(first)
    assert status.phase is Phase.RUNNING
    condition = resized(status)
    assert condition is not None
    assert condition[:2] == ("False", reason)
    assert message in (None, condition[2])
    assert warnings(first) == [f"{reason}: {condition[2]}"]
    assert not any(isinstance(action, (DeletePod, ResizePod)) for action in first.actions)
    assert look(claimed(**state), status, **more) == Decision(), "nothing is written again"


@pytest.mark.parametrize(("seconds", "left"), [(0, 5), (3, 2), (5, None)])
def test_a_moment_without_room_is_not_said(seconds: float, left: float | None) -> None:
    said = written(look(claimed(**GROWN, **running())))
    seen = claimed(**GROWN, **deferred(since=-seconds))
    decision = look(seen, said)
    assert decision.look_again == left
    assert bool(decision.actions) == (left is None)
    held = written(look(claimed(**GROWN, **deferred()), said))
    assert look(seen, held) == Decision((), left), "nor that it came, before it did"


def test_what_can_never_be_is_said_at_once() -> None:
    status = written(look(claimed(**GROWN, **deferred("Infeasible", since=0))))
    assert resized(status) == ("False", "Infeasible", "Node didn't have enough resource: cpu")


def test_other_words_of_the_same_kind_are_not_written() -> None:
    said = written(look(claimed(**GROWN, **deferred())))
    assert look(claimed(**GROWN, **deferred(message="requested: 1000, used: 1733")), said) == Decision()
    other = look(claimed(**GROWN, **deferred("Infeasible")), said)
    assert resized(written(other)) == ("False", "Infeasible", "Node didn't have enough resource: cpu")
    assert warnings(other) == []


def test_what_the_api_server_refused_is_asked_for_again_and_meanwhile_said() -> None:
    seen = claimed(**SMALL, **running())
    said = written(look(seen, unresized=QUOTA))
    assert look(seen, said) == Decision((ResizePod(seen),))


def test_room_that_comes_later_is_said() -> None:
    said = written(look(claimed(**GROWN, **deferred())))
    later = look(claimed(**GROWN, **running()), said)
    assert resized(written(later)) == ("True", "Resized", "")
    assert look(claimed(**GROWN, **running()), written(later)) == Decision()


def test_end_keeps_what_was_said() -> None:
    said = written(look(claimed(**GROWN, **deferred())))
    over = written(look(claimed(**GROWN, **ended(0)), said))
    assert [entry.type for entry in over.conditions] == ["PodScheduled", "Started", "Resized", "Succeeded"]
    assert isinstance(over.conditions[2], Condition)
    assert resized(over) == resized(said)


def test_next_attempt_says_nothing_of_the_last_one() -> None:
    said = written(look(claimed(**GROWN, **deferred())))
    run: TaskRun = task_run(said.to_json(), attempt=2)
    decision = decide(Scene(run, pod("trn-1-2", **running()), None, (), True, NOW), Patience())
    assert resized(written(decision)) is None
