"""What a Pod's status means: it waits, runs or ended, and why. Pure.

Every way in which the cluster can end or hold up a Pod has one `Reason`; what is in none of these tables is `Error`, with
the cluster's words. https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from skerry_objects.task_runs import Reason
from skerry_operator.pods import ENDED_PHASES, Pod

# A deleted Pod that is still there so long after its time to end: its node does not answer.
OVERDUE: Final = timedelta(seconds=15)
# The API server keeps at most 32 KiB of a condition's message; people read less.
MESSAGE_LENGTH: Final = 1024

_WAITS: Final = {
    "ErrImagePull": Reason.IMAGE_PULL,
    "ImagePullBackOff": Reason.IMAGE_PULL,
    "ErrImageNeverPull": Reason.IMAGE_PULL,
    "InvalidImageName": Reason.IMAGE_PULL,
    "ImageInspectError": Reason.IMAGE_PULL,
    "RegistryUnavailable": Reason.IMAGE_PULL,
    "SignatureValidationFailed": Reason.IMAGE_PULL,
    "CreateContainerConfigError": Reason.CONFIG_ERROR,
    "CreateContainerError": Reason.CONTAINER_ERROR,
    "RunContainerError": Reason.CONTAINER_ERROR,
    "PostStartHookError": Reason.CONTAINER_ERROR,
}
# How the scheduler speaks of nodes that would do if they were emptier; of others it says that preemption is not helpful.
_FULL: Final = "No preemption victims found"
_NEVER: Final = frozenset({"InvalidImageName", "ErrImageNeverPull"})
_POD_REASONS: Final = {
    "DeadlineExceeded": Reason.DEADLINE_EXCEEDED,
    "Evicted": Reason.EVICTED,
    "Preempting": Reason.PREEMPTED,
    "NodeLost": Reason.NODE_LOST,
    "NodeShutdown": Reason.NODE_LOST,
    "Shutdown": Reason.NODE_LOST,
    "Terminated": Reason.NODE_LOST,
    # The scheduler chose a node that had no room any more: another try finds another one.
    "NodeAffinity": Reason.EVICTED,
    "OutOfcpu": Reason.EVICTED,
    "OutOfmemory": Reason.EVICTED,
    "OutOfpods": Reason.EVICTED,
    "UnexpectedAdmissionError": Reason.EVICTED,
}
_DISRUPTIONS: Final = {
    "PreemptionByScheduler": Reason.PREEMPTED,
    "EvictionByEvictionAPI": Reason.EVICTED,
    "TerminationByKubelet": Reason.EVICTED,
    "DeletionByTaintManager": Reason.NODE_LOST,
    "DeletionByPodGC": Reason.NODE_LOST,
}
_CONTAINER_REASONS: Final = {
    "OOMKilled": Reason.OOM_KILLED,
    "StartError": Reason.CONTAINER_ERROR,
    "ContainerCannotRun": Reason.CONTAINER_ERROR,
    "ContainerStatusUnknown": Reason.NODE_LOST,
}
# How the runner names its end in the termination message, `<reason>: <why>`; it is process 1 and ends with status 1.
_RUNNER_REASONS: Final = {
    "canceled": Reason.CANCELED,
    "error": Reason.ERROR,
    "exited": Reason.ERROR,
    "oom_killed": Reason.OOM_KILLED,
    "payload_too_large": Reason.ERROR,
    "runner_lost": Reason.ERROR,
    "timeout": Reason.DEADLINE_EXCEEDED,
}
# Ends that say nothing about the image or the code in it.
INFRASTRUCTURE: Final = frozenset({Reason.EVICTED, Reason.PREEMPTED, Reason.NODE_LOST, Reason.POD_DELETED})


class Stage(StrEnum):
    """How far a Pod is."""

    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Sight:
    """What is to be said of a Pod.

    Attributes:
        reason: why it waits or ended; None when it runs, or waits as every Pod does at first.
        since: since when it waits for this, where the cluster says so.
        hopeless: whether waiting longer cannot help.
    """

    stage: Stage
    reason: Reason | None = None
    message: str | None = None
    exit_code: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    since: datetime | None = None
    hopeless: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the API server did not take a Pod."""

    reason: Reason
    message: str


def classify(pod: Pod, now: datetime) -> Sight:
    """What a Pod's status means at `now`."""
    if pod.phase in ENDED_PHASES or pod.runner_ended is not None:
        return _ended(pod)
    if pod.phase == "Unknown":
        return _lost(pod, Reason.NODE_LOST, pod.message or f"node {pod.node} does not answer", now)
    if pod.deletion_at is not None and now - pod.deletion_at >= OVERDUE:
        reason = _disruption(pod) or Reason.NODE_LOST
        return _lost(pod, reason, f"deleted, and node {pod.node} does not confirm that it ended", now)
    if pod.started_at is not None:
        return Sight(Stage.RUNNING, started_at=pod.started_at)
    return _waiting(pod)


def classify_departed(pod: Pod, now: datetime) -> Sight:
    """What became of a Pod that is no more, from what was seen of it last."""
    if pod.phase in ENDED_PHASES or pod.runner_ended is not None:
        return _ended(pod)
    reason = _disruption(pod) or Reason.POD_DELETED
    return _lost(pod, reason, _disruption_words(pod) or f"Pod {pod.name} was deleted before it ended", now)


def has_served(pod: Pod) -> bool:
    """Whether a Pod's runner did its part: it left as told, or told how the attempt ended that it was given."""
    last = pod.runner_ended
    return last is not None and (last.exit_code == 0 or _told(pod)[0] is not None)


def classify_refusal(status: int, message: str) -> Refusal | None:
    """Why a Pod was not taken, from the API server's answer; None when the same request may succeed later."""
    if status == 403 and "exceeded quota" in message:
        return Refusal(Reason.QUOTA_EXCEEDED, shorten(message))
    # Its own missing rights are no fault of the run.
    if status == 403 and "cannot create resource" in message:
        return None
    if status in (400, 403, 405, 413, 422):
        return Refusal(Reason.REFUSED, shorten(message))
    return None


def shorten(message: str) -> str:
    """A message of a length that fits into a status."""
    return message if len(message) <= MESSAGE_LENGTH else message[: MESSAGE_LENGTH - 1] + "…"


def _ended(pod: Pod) -> Sight:
    last = pod.runner_ended
    told, why = _told(pod)
    reason = _end_reason(pod, told)
    return Sight(
        Stage.ENDED,
        reason,
        shorten(why if reason is told else _end_words(pod, reason)) or None,
        exit_code=last.exit_code if last is not None else None,
        started_at=pod.started_at,
        finished_at=last.finished_at if last is not None else None,
    )


def _told(pod: Pod) -> tuple[Reason | None, str]:
    """What the runner itself said of its end."""
    last = pod.runner_ended
    if last is None or last.exit_code != 1:
        return None, ""
    word, _, why = last.message.partition(": ")
    return _RUNNER_REASONS.get(word.rstrip(":")), why


def _end_reason(pod: Pod, told: Reason | None) -> Reason:
    last = pod.runner_ended
    if pod.phase != "Failed" and (last is None or last.exit_code == 0):
        return Reason.COMPLETED
    if last is not None and last.reason == "OOMKilled":
        return Reason.OOM_KILLED
    known = _POD_REASONS.get(pod.reason) or _disruption(pod)
    if known is not None:
        return known
    if last is not None and last.reason in _CONTAINER_REASONS:
        return _CONTAINER_REASONS[last.reason]
    if last is not None and last.exit_code == 0:
        return Reason.COMPLETED
    if pod.deletion_at is not None and told is not Reason.CANCELED:
        return Reason.POD_DELETED
    return told or Reason.ERROR


def _end_words(pod: Pod, reason: Reason) -> str:
    if reason is Reason.COMPLETED:
        return ""
    last = pod.runner_ended
    own = last.message if last is not None else ""
    if reason is Reason.OOM_KILLED:
        return own or "the container used more memory than its plan has"
    if reason is Reason.POD_DELETED:
        return f"Pod {pod.name} was deleted before it ended"
    words = pod.message or _disruption_words(pod) or own
    return words or (f"exit code {last.exit_code}" if last is not None else pod.reason or "the Pod failed")


def _disruption(pod: Pod) -> Reason | None:
    target = pod.condition("DisruptionTarget")
    return _DISRUPTIONS.get(target.reason, Reason.EVICTED) if target is not None and target.status == "True" else None


def _disruption_words(pod: Pod) -> str:
    target = pod.condition("DisruptionTarget")
    return (target.message or target.reason) if target is not None and target.status == "True" else ""


def _lost(pod: Pod, reason: Reason, message: str, now: datetime) -> Sight:
    return Sight(Stage.ENDED, reason, shorten(message), started_at=pod.started_at, finished_at=now)


def _waiting(pod: Pod) -> Sight:
    for entry in pod.waiting:
        if entry.reason in _WAITS:
            words = shorten(entry.message or entry.reason)
            return Sight(Stage.WAITING, _WAITS[entry.reason], words, hopeless=entry.reason in _NEVER)
    scheduled = pod.condition("PodScheduled")
    if scheduled is not None and scheduled.status == "False" and scheduled.reason == "Unschedulable":
        words = shorten(scheduled.message or "no node takes the Pod")
        reason = Reason.NO_ROOM if _FULL in words else Reason.UNSCHEDULABLE
        return Sight(Stage.WAITING, reason, words, since=scheduled.since)
    return Sight(Stage.WAITING)
