"""What follows from a run's record and its TaskRun, as a table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from skerry_api.domain.states import Reason
from skerry_api.executors.kubernetes.decisions import (
    REASONS,
    REPORT_SECONDS,
    Action,
    Cancel,
    Create,
    Raise,
    Remove,
    Settle,
    Wait,
    decide,
    place_of,
)
from skerry_api.storage.launches import Launch, Place
from skerry_objects.models import Metadata
from skerry_objects.task_runs import Phase, TaskRun, TaskRunSpec, TaskRunStatus
from skerry_objects.task_runs import Reason as PodReason

RUN = "trn-0123456789abcdefghij"
GRACE = 5.0


def launch(number: int = 1, status: str = "queued") -> Launch:
    return Launch(f"{RUN}-{number}", RUN, number, status, "wfv-1-standard", "shop", "wfv-1", "build", "standard", 60.0)


def seen(spec_attempt: int = 1, *, deleted: bool = False, **status: object) -> TaskRun:
    spec = TaskRunSpec(
        run_id=RUN,
        workflow="shop",
        version="wfv-1",
        task="build",
        attempt=spec_attempt,
        pool_ref="wfv-1-standard",
        plan="standard",
        timeout_seconds=60,
    )
    gone = datetime(2026, 1, 1, tzinfo=UTC) if deleted else None
    return TaskRun(
        metadata=Metadata(name=RUN, deletion_timestamp=gone), spec=spec, status=TaskRunStatus.model_validate(status)
    )


def failed(reason: PodReason, message: str = "the cluster's words", attempt: int = 1) -> TaskRun:
    return seen(
        attempt, phase=Phase.FAILED, attempt=attempt, reason=reason, message=message, podName=f"{RUN}-{attempt}"
    )


TABLE: list[tuple[str, Launch | None, TaskRun | None, float, Action]] = [
    ("nothing wanted, nothing there", None, None, 0, None),
    ("queued, not launched", launch(), None, 0, Create(launch())),
    ("queued, launched", launch(), seen(), 100, None),
    ("running", launch(1, "running"), seen(phase=Phase.RUNNING, attempt=1), 100, None),
    ("its object was taken away while it ran", launch(1, "running"), None, 0, Cancel(launch(1, "running"))),
    ("its object was taken away before it could be repeated", launch(2), None, 0, Cancel(launch(2))),
    ("its object is as old as it may become", replace(launch(2), age_seconds=61), None, 0, Create(launch(2))),
    ("its object is being deleted", launch(), seen(deleted=True), 0, Cancel(launch())),
    ("the next attempt", launch(2), failed(PodReason.EVICTED), 0, Raise(launch(2))),
    ("the object still tells of the attempt before", launch(2), seen(2, phase=Phase.FAILED, attempt=1), 0, None),
    ("over, Pod still there", None, seen(phase=Phase.RUNNING, attempt=1), 1, Wait(GRACE - 1)),
    ("over, Pod still there after its grace", None, seen(phase=Phase.RUNNING, attempt=1), GRACE, Remove()),
    ("over, Pod over", None, seen(phase=Phase.SUCCEEDED, attempt=1), 100, None),
    ("over, being deleted", None, seen(deleted=True), 100, None),
    (
        "Pod succeeded, its report may be on the way",
        launch(1, "running"),
        seen(phase=Phase.SUCCEEDED, attempt=1, reason=PodReason.COMPLETED),
        0,
        Wait(REPORT_SECONDS),
    ),
    (
        "Pod succeeded without any report",
        launch(1, "running"),
        seen(phase=Phase.SUCCEEDED, attempt=1, reason=PodReason.COMPLETED, podName=f"{RUN}-1"),
        REPORT_SECONDS,
        Settle(launch(1, "running"), Reason.RUNNER_LOST, f"Pod {RUN}-1: it ended without reporting an outcome"),
    ),
]


@pytest.mark.parametrize(("what", "record", "shown", "seconds", "action"), TABLE, ids=[row[0] for row in TABLE])
def test_decision(what: str, record: Launch | None, shown: TaskRun | None, seconds: float, action: Action) -> None:
    assert decide(record, shown, True, seconds, GRACE) == action


@pytest.mark.parametrize(
    ("record", "shown"), [(launch(), None), (launch(2), failed(PodReason.EVICTED)), (launch(2), seen(2))]
)
def test_what_is_delayed_has_no_container_before_its_time(record: Launch, shown: TaskRun | None) -> None:
    assert decide(record, shown, False, 100, GRACE) is None


@pytest.mark.parametrize("reason", list(PodReason))
def test_every_end_of_a_pod_becomes_a_reason_with_the_clusters_words(reason: PodReason) -> None:
    action = decide(launch(), failed(reason), True, 0, GRACE)
    assert isinstance(action, Settle)
    assert action.reason is REASONS[reason]
    assert action.message.startswith(f"Pod {RUN}-1: ")


@pytest.mark.parametrize(
    ("status", "place"),
    [
        ({}, None),
        ({"attempt": 1}, None),
        ({"attempt": 1, "podName": f"{RUN}-1"}, Place(f"{RUN}-1", f"{RUN}-1", None)),
        ({"attempt": 2, "podName": "warm-x7k2p", "node": "node-1"}, Place(f"{RUN}-2", "warm-x7k2p", "node-1")),
    ],
)
def test_where_an_attempt_runs_is_told_of_the_attempt_the_status_is_about(
    status: dict[str, object], place: Place | None
) -> None:
    assert place_of(seen(3, **status)) == place


def test_an_unknown_reason_of_a_newer_operator_is_a_loss() -> None:
    shown = seen(phase=Phase.FAILED, attempt=1, reason="SomethingNew", message="who knows")
    assert decide(launch(), shown, True, 0, GRACE) == Settle(launch(), Reason.RUNNER_LOST, "the Pod: who knows")
