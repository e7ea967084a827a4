"""A TaskRun's status for what is to be said of its Pod, and the smallest change from one status to another. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, cast

from skerry_objects.models import Condition, Model
from skerry_objects.task_runs import Phase, Reason, TaskRun, TaskRunStatus
from skerry_operator.classifications import Sight
from skerry_operator.pods import Pod

Truth = Literal["True", "False", "Unknown"]

_PHASES = {Reason.COMPLETED: Phase.SUCCEEDED, Reason.CANCELED: Phase.CANCELED}


def present(run: TaskRun) -> TaskRunStatus:
    """What is recorded of the present attempt: nothing yet, if the record is about something else."""
    return run.status if is_present(run) else fresh(run)


def is_present(run: TaskRun) -> bool:
    """Whether the record is about the present attempt, and not about a Pod of its own that a warm one was faster than."""
    overtaken = run.spec.pod_name is not None and run.status.pod_name not in (None, run.spec.pod_name)
    return run.status.attempt == run.spec.attempt and not overtaken


def fresh(run: TaskRun) -> TaskRunStatus:
    """The status of an attempt that has no Pod yet."""
    return TaskRunStatus(phase=Phase.PENDING, attempt=run.spec.attempt, observed_generation=run.metadata.generation)


def waiting(run: TaskRun, pod: Pod | None, reason: Reason, message: str | None, now: datetime) -> TaskRunStatus:
    """Something holds the start up."""
    scheduled = pod is not None and pod.node is not None
    conditions = [condition(run, "Started", "False", reason, message, now)]
    if pod is not None:
        place = ("True", "Scheduled") if scheduled else ("False", str(reason))
        conditions.insert(0, condition(run, "PodScheduled", place[0], place[1], "" if scheduled else message, now))
    return _of_pod(run, pod).model_copy(
        update={
            "phase": Phase.STARTING if scheduled else Phase.PENDING,
            "reason": reason,
            "message": message,
            "conditions": conditions,
        }
    )


def running(run: TaskRun, pod: Pod, sight: Sight, now: datetime) -> TaskRunStatus:
    """The container runs."""
    return _of_pod(run, pod).model_copy(
        update={
            "phase": Phase.RUNNING,
            "started_at": sight.started_at,
            "conditions": [
                condition(run, "PodScheduled", "True", "Scheduled", "", sight.started_at or now),
                condition(run, "Started", "True", "ContainerStarted", "", sight.started_at or now),
            ],
        }
    )


def ended(run: TaskRun, pod: Pod | None, sight: Sight, now: datetime) -> TaskRunStatus:
    """The attempt's Pod is over, or is given up."""
    before = _of_pod(run, pod)
    reason = sight.reason or Reason.ERROR
    finished = sight.finished_at or now
    good = reason is Reason.COMPLETED
    phase = _PHASES.get(reason, Phase.FAILED)
    kept = [entry for entry in before.conditions if entry.type != "Succeeded"]
    if sight.started_at is not None:
        # What held it up passed, and nobody saw it run.
        kept = [entry for entry in kept if (entry.type, entry.status) != ("Started", "False")]
    if sight.started_at is not None and not any(entry.type == "Started" for entry in kept):
        kept.append(condition(run, "Started", "True", "ContainerStarted", "", sight.started_at))
    last = condition(run, "Succeeded", "True" if good else "False", reason, sight.message, finished)
    return before.model_copy(
        update={
            "phase": phase,
            "reason": reason,
            "message": sight.message,
            "exit_code": sight.exit_code,
            "started_at": sight.started_at or before.started_at,
            "finished_at": finished,
            "conditions": [*kept, last],
        }
    )


def change(before: Model, after: Model) -> dict[str, Any]:
    """The merge patch from one status to another; empty when they say the same."""
    old, new = before.to_json(), after.to_json()
    removed = {key: None for key in old if key not in new}
    return removed | {key: value for key, value in new.items() if old.get(key) != value}


def condition(run: TaskRun, kind: str, status: str, reason: str, message: str | None, now: datetime) -> Condition:
    """A condition; its time is that of the last change of what it says."""
    before = condition_of(present(run).conditions, kind)
    same = before is not None and (before.status, before.reason) == (status, reason)
    return Condition(
        type=kind,
        status=cast(Truth, status),
        reason=str(reason),
        message=message or "",
        last_transition_time=before.last_transition_time if before is not None and same else to_second(now),
    )


def condition_of(conditions: Sequence[Condition], kind: str) -> Condition | None:
    """The condition of this type."""
    return next((entry for entry in conditions if entry.type == kind), None)


def to_second(moment: datetime) -> datetime:
    """As precise as the API server stores it."""
    return moment.replace(microsecond=0)


def _of_pod(run: TaskRun, pod: Pod | None) -> TaskRunStatus:
    status = present(run).model_copy(update={"observed_generation": run.metadata.generation})
    if pod is None:
        return status
    return status.model_copy(
        update={
            "attempt": run.spec.attempt,
            "pod_name": pod.name,
            "pod_uid": pod.uid,
            "node": pod.node or status.node,
            "reason": None,
            "message": None,
        }
    )
