"""A Pod that waited small and has a run now → ask for its full size, and say so if the cluster has no room for that. Pure.

The run goes on in any case: its limits are those of its plan, and to start it elsewhere would run user code twice.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from skerry_objects.models import Condition
from skerry_objects.task_runs import TaskRun, TaskRunStatus
from skerry_operator import statuses
from skerry_operator.classifications import Refusal, shorten
from skerry_operator.pods import Pod, PodCondition

RESIZED: Final = "Resized"
# The kubelet counts Pods that ended a moment ago: to say that it has no room until then would cost two writes for nothing.
NOTICE: Final = timedelta(seconds=5)
_DEFERRED: Final = "Deferred"


def pending(pod: Pod) -> PodCondition | None:
    """What the kubelet says of a Pod that should be larger than its node has room for, now or ever."""
    found = pod.condition("PodResizePending")
    return found if found is not None and found.status == "True" else None


def notice_in(pod: Pod, now: datetime) -> timedelta | None:
    """How long the kubelet may yet take before it is said that it has no room; None if there is nothing to wait for."""
    found = pending(pod)
    if found is None or found.reason != _DEFERRED or found.since is None:
        return None
    left = found.since + NOTICE - now
    return left if left > timedelta(0) else None


def resized(run: TaskRun, pod: Pod, refusal: Refusal | None, now: datetime) -> Condition | None:
    """Whether a Pod has its full size, as far as there is something to say: that all went well is not worth a write.

    `refusal` is what the API server said when it was asked for that just now.
    """
    before = statuses.condition_of(statuses.present(run).conditions, RESIZED)
    words = _words(pod, refusal)
    if words is None:
        if before is None or pod.ungrown:
            return before
        return statuses.condition(run, RESIZED, "True", RESIZED, "", now)
    reason, message = words
    if notice_in(pod, now) is not None or (before is not None and (before.status, before.reason) == ("False", reason)):
        return before  # The words tell how full the node is, and so change all the time.
    return statuses.condition(run, RESIZED, "False", reason, message, now)


def refused(status: TaskRunStatus) -> Condition | None:
    """Why the attempt's Pod could not grow, if it could not."""
    said = statuses.condition_of(status.conditions, RESIZED)
    return said if said is not None and said.status == "False" else None


def _words(pod: Pod, refusal: Refusal | None) -> tuple[str, str] | None:
    """Who refused in one word, and why."""
    if refusal is not None:
        return refusal.reason, refusal.message
    found = pending(pod)
    return (found.reason, shorten(found.message or "its node has no room")) if found is not None else None
