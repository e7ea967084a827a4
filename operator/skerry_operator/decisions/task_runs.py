"""TaskRun and its Pods → what to do. At most one Pod of a run is wanted at a time: that of the present attempt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from skerry_objects import names
from skerry_objects.task_runs import TERMINAL, Phase, Reason, TaskRun, TaskRunStatus
from skerry_operator import statuses
from skerry_operator.classifications import OVERDUE, Refusal, Sight, Stage, classify, classify_departed
from skerry_operator.decisions import growths
from skerry_operator.decisions.actions import (
    Action,
    AdoptPod,
    Announce,
    CreatePod,
    Decision,
    DeletePod,
    DeleteTaskRun,
    ResizePod,
    WriteStatus,
)
from skerry_operator.pods import Pod

STARTED: Final = "Started"
# A busy cluster finds a node within a moment: saying that it looks for one costs a write for each run.
NOTICE: Final = timedelta(seconds=5)
# How soon to try again what the API server refused for now, or what another watch may show; later, less often.
RETRY_SECONDS: Final = 5.0
RETRY_MOST_SECONDS: Final = 30.0
# What failed may be repeated with the same TaskRun: that it went so soon would mean that somebody removed it.
FAILED_KEPT: Final = timedelta(seconds=120)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long what may pass by itself is waited for."""

    image_pull: timedelta = timedelta(seconds=120)
    unschedulable: timedelta = timedelta(seconds=300)
    no_room: timedelta = timedelta(days=1)
    pool: timedelta = timedelta(seconds=30)
    succeeded_pod: timedelta = timedelta(seconds=300)
    ttl: timedelta = timedelta(seconds=3600)

    def for_reason(self, reason: Reason) -> timedelta:
        """How long to wait for this to pass."""
        match reason:
            case Reason.UNSCHEDULABLE:
                return self.unschedulable
            case Reason.NO_ROOM | Reason.QUOTA_EXCEEDED:
                return self.no_room
            case Reason.POOL_MISSING:
                return self.pool
            case Reason.REFUSED:
                return timedelta(0)
            case _:
                return self.image_pull


@dataclass(frozen=True, slots=True)
class Scene:
    """A TaskRun and what belongs to it, at one moment.

    Attributes:
        pod: the Pod with the name of the present attempt's.
        departed: that Pod as it was seen last, when it is no more.
        others: the TaskRun's other Pods.
        has_pool: whether its RunnerPool is there.
        unresized: why the API server did not let the Pod grow, if it was asked just now.
    """

    run: TaskRun
    pod: Pod | None
    departed: Pod | None
    others: Sequence[Pod]
    has_pool: bool
    now: datetime
    unresized: Refusal | None = None


def expected_pod(run: TaskRun) -> str:
    """The name of the present attempt's Pod: a warm one that took it, or one of its own."""
    return run.spec.pod_name or names.pod_name(run.metadata.name, run.spec.attempt)


def is_over(run: TaskRun) -> bool:
    """Whether the present attempt's end is recorded."""
    return statuses.is_present(run) and run.status.phase in TERMINAL


def decide(scene: Scene, patience: Patience) -> Decision:
    """What to do about one TaskRun."""
    run = scene.run
    if run.metadata.deletion_timestamp is not None:
        return Decision()  # Its Pods go with it: they name it as their owner.
    if is_over(run):
        return _after_end(scene, patience)
    removals = _removals(scene.others)
    if scene.pod is None:
        rest = _without_pod(scene, patience)
    elif _belongs(scene.pod, run):
        rest = _with_pod(scene, scene.pod, patience)
    else:
        rest = _with_foreign_pod(scene, scene.pod, patience)
    return _merged(scene, removals, rest)


def decide_refused(scene: Scene, refusal: Refusal, patience: Patience) -> Decision:
    """What to do when the API server did not take the Pod."""
    sight = Sight(Stage.WAITING, refusal.reason, refusal.message)
    return _merged(scene, (), _held_up(scene, None, sight, patience, retry=True))


def _after_end(scene: Scene, patience: Patience) -> Decision:
    run = scene.run
    over_for = scene.now - (run.status.finished_at or scene.now)
    ttl = max(patience.ttl, FAILED_KEPT) if run.status.phase is Phase.FAILED else patience.ttl
    if over_for >= ttl:
        return Decision((DeleteTaskRun(),))
    mine = [scene.pod] if scene.pod is not None and _belongs(scene.pod, run) else []
    pods, again = [*mine, *scene.others], ttl - over_for
    if run.status.phase is not Phase.SUCCEEDED or not pods:
        return Decision(_removals(pods), again.total_seconds())
    if over_for < patience.succeeded_pod:
        return Decision(_removals(pods), min(again, patience.succeeded_pod - over_for).total_seconds())
    # Nobody asks why they ended, and a kubelet goes over all its Pods, ended ones too, whenever one of them changes.
    ended = (DeletePod(pod.name, pod.uid) for pod in pods if pod.deletion_at is None)
    return Decision(tuple(ended), again.total_seconds())


def _without_pod(scene: Scene, patience: Patience) -> Decision:
    run, status = scene.run, statuses.present(scene.run)
    if scene.departed is not None and _belongs(scene.departed, run):
        return _over(scene, scene.departed, classify_departed(scene.departed, scene.now))
    if status.pod_uid is not None or run.spec.pod_name is not None:
        words = f"Pod {expected_pod(run)} was deleted, and how it ended was not seen"
        return _over(scene, None, Sight(Stage.ENDED, Reason.POD_DELETED, words, started_at=status.started_at))
    if not scene.has_pool:
        sight = Sight(Stage.WAITING, Reason.POOL_MISSING, f"there is no RunnerPool {run.spec.pool_ref}")
        return _held_up(scene, None, sight, patience, retry=True)
    return Decision((CreatePod(expected_pod(run)),))


def _with_pod(scene: Scene, pod: Pod, patience: Patience) -> Decision:
    sight = classify(pod, scene.now)
    if sight.stage is Stage.ENDED:
        return _over(scene, pod, sight)
    if pod.deletion_at is not None:
        # It ends by itself in its grace period, or its node is lost.
        overdue = (pod.deletion_at + OVERDUE - scene.now).total_seconds()
        return Decision(look_again=overdue + 1)
    if sight.stage is Stage.RUNNING:
        notice = growths.notice_in(pod, scene.now)
        return Decision(_running(scene, pod, sight), notice.total_seconds() if notice is not None else None)
    if sight.reason is None:
        return Decision()
    return _held_up(scene, pod, sight, patience, retry=False)


def _running(scene: Scene, pod: Pod, sight: Sight) -> tuple[Action, ...]:
    run, before = scene.run, statuses.present(scene.run)
    status = statuses.running(run, pod, sight, scene.now)
    resized = growths.resized(run, pod, scene.unresized, scene.now)
    if resized is not None:
        status = status.model_copy(update={"conditions": [*status.conditions, resized]})
    actions: list[Action] = [ResizePod(pod)] if pod.ungrown and scene.unresized is None else []
    actions.append(WriteStatus(status))
    if before.phase is not Phase.RUNNING:
        actions.append(Announce("Normal", STARTED, f"Pod {pod.name} runs on node {pod.node}"))
    refused = growths.refused(status)
    if refused is not None and growths.refused(before) is None:
        actions.append(Announce("Warning", "NotResized", f"{refused.reason}: {refused.message}"))
    return tuple(actions)


def _with_foreign_pod(scene: Scene, pod: Pod, patience: Patience) -> Decision:
    run, owner = scene.run, pod.owner
    if run.spec.pod_name == pod.name and owner is not None and owner.kind == "RunnerPool":
        if names.RUN not in pod.labels:
            rest = _with_pod(scene, pod, patience)
            return Decision((AdoptPod(pod), *rest.actions), rest.look_again)
    elif owner is not None and owner.kind == run.kind and owner.name == run.metadata.name:
        # Of a TaskRun of the same name that was deleted: the cluster removes it too, but perhaps later.
        return Decision(_removals([pod]), RETRY_SECONDS)
    words = (
        f"Pod {pod.name} belongs to something else: {owner.kind} {owner.name}"
        if owner
        else (f"there is a Pod {pod.name} that was not made for this run; remove it")
    )
    return _over(scene, None, Sight(Stage.ENDED, Reason.REFUSED, words))


def _belongs(pod: Pod, run: TaskRun) -> bool:
    return pod.owner is not None and pod.owner.uid == run.metadata.uid


def _removals(pods: Sequence[Pod]) -> tuple[Action, ...]:
    # What ended stays for its log, and goes with the TaskRun.
    return tuple(DeletePod(pod.name, pod.uid) for pod in pods if not pod.is_leaving)


def _held_up(scene: Scene, pod: Pod | None, sight: Sight, patience: Patience, *, retry: bool) -> Decision:
    """Wait for what may pass; give up when it has lasted too long."""
    run, now = scene.run, scene.now
    reason = sight.reason or Reason.ERROR
    before = statuses.present(run)
    known = before.reason == reason
    waited = now - (sight.since or (_since(before) if known else None) or now)
    left = patience.for_reason(reason) - waited
    message = before.message if known and _repeats(sight.message) else sight.message
    if left <= timedelta(0) or sight.hopeless:
        return _over(scene, pod, Sight(Stage.ENDED, reason, message))
    again = left.total_seconds()
    if retry:
        again = min(again, max(RETRY_SECONDS, min(waited.total_seconds() / 8, RETRY_MOST_SECONDS)))
    if reason in (Reason.UNSCHEDULABLE, Reason.NO_ROOM) and waited < NOTICE:
        return Decision(look_again=(NOTICE - waited).total_seconds())
    status = statuses.waiting(run, pod, reason, message, now)
    said = () if known else (Announce("Warning", reason, message or reason),)
    return Decision((WriteStatus(status), *said), again)


def _since(status: TaskRunStatus) -> datetime | None:
    started = statuses.condition_of(status.conditions, "Started")
    return started.last_transition_time if started is not None and started.status == "False" else None


def _repeats(message: str | None) -> bool:
    """Whether it says only that the kubelet waits before it tries again what it told before."""
    return (message or "").startswith(("Back-off", "back-off"))


def _over(scene: Scene, pod: Pod | None, sight: Sight) -> Decision:
    status = statuses.ended(scene.run, pod, sight, scene.now)
    if sight.reason is Reason.COMPLETED:
        return Decision((WriteStatus(status), Announce("Normal", "Succeeded", f"Pod {status.pod_name} succeeded")), 0.0)
    words = status.reason or "", status.message or ""
    said = Announce("Normal", *words) if sight.reason is Reason.CANCELED else Announce("Warning", *words)
    return Decision((WriteStatus(status), said), 0.0)


def _merged(scene: Scene, removals: tuple[Action, ...], rest: Decision) -> Decision:
    """With removals first, and without a status that says nothing new."""
    run = scene.run
    actions = [action for action in rest.actions if not _says_nothing(run, action)]
    outdated = run.status.attempt is not None and not statuses.is_present(run)
    if outdated and not any(isinstance(action, WriteStatus) for action in actions):
        actions.append(WriteStatus(statuses.fresh(run)))
    return Decision((*removals, *actions), rest.look_again)


def _says_nothing(run: TaskRun, action: Action) -> bool:
    return isinstance(action, WriteStatus) and not statuses.change(run.status, action.status)
