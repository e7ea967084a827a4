"""What follows from a run's record and its TaskRun object. Pure: values in, one action out."""

from __future__ import annotations

from dataclasses import dataclass

from skerry_api.domain.states import AttemptStatus, Reason
from skerry_api.storage.launches import Launch, Place
from skerry_objects.task_runs import TERMINAL, Phase, TaskRun
from skerry_objects.task_runs import Reason as PodReason

# The runner reports its end itself, a moment before its Pod ends; what comes without a report is a loss.
REPORT_SECONDS = 10.0
# The operator keeps a TaskRun whose attempt failed for longer than this, whatever its time to live.
KEPT_SECONDS = 60.0

REASONS: dict[str, Reason] = {
    PodReason.ERROR: Reason.RUNNER_LOST,
    PodReason.COMPLETED: Reason.RUNNER_LOST,
    # Of a run that was canceled the attempt is over already; this one was not.
    PodReason.CANCELED: Reason.RUNNER_LOST,
    PodReason.OOM_KILLED: Reason.OOM_KILLED,
    PodReason.EVICTED: Reason.EVICTED,
    PodReason.PREEMPTED: Reason.PREEMPTED,
    PodReason.NODE_LOST: Reason.NODE_LOST,
    PodReason.POD_DELETED: Reason.RUNNER_LOST,
    PodReason.DEADLINE_EXCEEDED: Reason.TIMEOUT,
    PodReason.IMAGE_PULL: Reason.IMAGE_PULL,
    PodReason.CONFIG_ERROR: Reason.UNSCHEDULABLE,
    PodReason.CONTAINER_ERROR: Reason.IMAGE_PULL,
    PodReason.UNSCHEDULABLE: Reason.UNSCHEDULABLE,
    PodReason.NO_ROOM: Reason.UNSCHEDULABLE,
    PodReason.QUOTA_EXCEEDED: Reason.UNSCHEDULABLE,
    PodReason.REFUSED: Reason.UNSCHEDULABLE,
    PodReason.POOL_MISSING: Reason.UNSCHEDULABLE,
}


@dataclass(frozen=True, slots=True)
class Create:
    """Make the TaskRun."""

    launch: Launch


@dataclass(frozen=True, slots=True)
class Raise:
    """Have the TaskRun make a Pod for the next attempt."""

    launch: Launch


@dataclass(frozen=True, slots=True)
class Adopt:
    """Have the TaskRun say which waiting Pod took its attempt; make it if there is none."""

    launch: Launch
    pod: str


@dataclass(frozen=True, slots=True)
class Settle:
    """The Pod is over and the attempt is not: end it, for this reason and in these words."""

    launch: Launch
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Somebody removed the TaskRun of a run that is not over."""

    launch: Launch


@dataclass(frozen=True, slots=True)
class Remove:
    """The run is over, its Pod is not: nobody needs it any more."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again after so many seconds."""

    seconds: float


Action = Create | Raise | Adopt | Settle | Cancel | Remove | Wait | None


def decide(
    launch: Launch | None, seen: TaskRun | None, is_due: bool, unchanged_seconds: float, grace_seconds: float
) -> Action:
    """What to do about one run.

    Args:
        launch: its open attempt in the record; None when the run is over.
        seen: its TaskRun; None when there is none.
        is_due: whether its attempt is queued and should have a container now.
        unchanged_seconds: for how long both have been like this.
        grace_seconds: what the Pod of a run that is over has to end by itself.
    """
    if launch is not None and launch.adopting is not None:
        return decide_adoption(launch, launch.adopting, seen)
    if launch is None:
        return None if seen is None or _is_over(seen) else _after(grace_seconds, unchanged_seconds, Remove())
    if seen is None:
        if _had_task_run(launch):
            return Cancel(launch)
        return Create(launch) if is_due else None
    if seen.metadata.deletion_timestamp is not None:
        return Cancel(launch)
    if seen.spec.attempt < launch.number:
        # Not before its time: a runner that finds its attempt delayed is of no use.
        return Raise(launch) if is_due else None
    status = seen.status
    if status.attempt != launch.number or status.phase not in TERMINAL:
        return None
    if seen.spec.pod_name is not None and status.pod_name not in (None, seen.spec.pod_name):
        return None  # It tells of the Pod that was made for the attempt; a waiting one was quicker.
    settle = _settlement(launch, seen)
    return settle if status.phase is Phase.FAILED else _after(REPORT_SECONDS, unchanged_seconds, settle)


def decide_adoption(launch: Launch, pod: str, seen: TaskRun | None) -> Adopt | Cancel | None:
    """What to do about an attempt that a waiting Pod took; it may be over by now."""
    if seen is None:
        return Adopt(launch, pod)
    if seen.metadata.deletion_timestamp is not None:
        return Cancel(launch)
    says_so = seen.spec.attempt > launch.number or (seen.spec.attempt == launch.number and seen.spec.pod_name == pod)
    return None if says_so else Adopt(launch, pod)


def _had_task_run(launch: Launch) -> bool:
    """Whether a TaskRun that is not there was taken away: of an attempt that has had a Pod, or that repeats one.

    One that has waited for long to be repeated may have lost it to its time to live.
    """
    if launch.status != AttemptStatus.QUEUED:
        return True
    return launch.number > 1 and launch.age_seconds < KEPT_SECONDS


def place_of(seen: TaskRun) -> Place | None:
    """Where the attempt that a TaskRun tells of runs; None when it has no Pod yet."""
    status = seen.status
    if status.attempt is None or status.pod_name is None:
        return None
    return Place(f"{seen.metadata.name}-{status.attempt}", status.pod_name, status.node)


def start_seconds(seen: TaskRun) -> float | None:
    """How long the Pod took to start that was made for a run, from the wish for it on; None where that was not seen."""
    asked, started = seen.metadata.creation_timestamp, seen.status.started_at
    if asked is None or started is None or seen.spec.attempt > 1 or seen.spec.pod_name is not None:
        return None
    return (started - asked).total_seconds()


def _settlement(launch: Launch, seen: TaskRun) -> Settle:
    status = seen.status
    words = status.message or status.reason or "its Pod ended"
    where = f"Pod {status.pod_name}" if status.pod_name else "the Pod"
    reason = REASONS.get(status.reason or "", Reason.RUNNER_LOST)
    if status.reason == PodReason.COMPLETED:
        words = "it ended without reporting an outcome"
    return Settle(launch, reason, f"{where}: {words}")


def _after(seconds: float, unchanged_seconds: float, action: Action) -> Action:
    left = seconds - unchanged_seconds
    return action if left <= 0 else Wait(left)


def _is_over(seen: TaskRun) -> bool:
    return seen.status.phase in TERMINAL or seen.metadata.deletion_timestamp is not None
