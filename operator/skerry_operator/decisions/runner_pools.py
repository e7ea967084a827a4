"""RunnerPool and its Pods → what to do: as many idle Pods as are wanted, and no churn when they cannot be had."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from skerry_objects import names
from skerry_objects.models import Condition
from skerry_objects.runner_pools import RunnerPool, RunnerPoolStatus
from skerry_objects.task_runs import Reason
from skerry_operator import statuses
from skerry_operator.classifications import INFRASTRUCTURE, Refusal, Sight, Stage, classify, has_served
from skerry_operator.decisions.actions import Action, CreateIdlePods, Decision, DeletePod
from skerry_operator.decisions.task_runs import Patience
from skerry_operator.manifests import TEMPLATE, template_hash
from skerry_operator.pods import Pod
from skerry_operator.sizes import growth_of

# Between Pods of an image that fails: 10 s, doubling to 5 minutes.
BACK_OFF: Final = timedelta(seconds=10)
LONGEST_BACK_OFF: Final = timedelta(minutes=5)
# Failed Pods are what the back-off is derived from, and what tells people why: they stay this long.
FAILED_KEPT: Final = timedelta(minutes=10)
# The TaskRun that names a Pod comes after its work was given to it, and that work may be over by then.
SERVED_KEPT: Final = timedelta(seconds=60)
# Pods that were made together fail together: that is one failure.
WAVE: Final = timedelta(seconds=10)
# One that has run so long, or did what it was to do, shows that the image is good.
PROVEN: Final = timedelta(seconds=10)
MOST_CREATED: Final = 20
# What the kubelet says of a container that it may be starting at this moment.
_STARTING: Final = "ContainerCreating"
_HOPELESS_AT_ONCE: Final = frozenset({Reason.REFUSED})


@dataclass(frozen=True)
class PoolScene:
    """A RunnerPool and its Pods at one moment. What takes a look at each of its Pods, perhaps a thousand, is found once.

    Attributes:
        pods: all Pods made from its template.
        taken: names of Pods that a TaskRun claims, whether they are labelled already or not.
        refusal: why the API server did not take an idle Pod just now.
        room_to_grow: whether Pods can be resized, and no Pod of this pool that has a run was refused that.
    """

    pool: RunnerPool
    pods: Sequence[Pod]
    taken: Collection[str]
    now: datetime
    refusal: Refusal | None = None
    room_to_grow: bool = False

    def is_claimed(self, pod: Pod) -> bool:
        """Whether a Pod has a run."""
        return names.RUN in pod.labels or pod.name in self.taken

    @cached_property
    def idle(self) -> list[Pod]:
        """Pods of this very pool that have no run, however far they are."""
        mine = [pod for pod in self.pods if pod.owner is not None and pod.owner.uid == self.pool.metadata.uid]
        return [pod for pod in mine if not self.is_claimed(pod)]

    @cached_property
    def live(self) -> list[Pod]:
        """Those of them that go on."""
        return [pod for pod in self.idle if not pod.is_leaving]

    @cached_property
    def sights(self) -> dict[str, Sight]:
        """What is to be said of each idle Pod, by its name."""
        return {pod.name: classify(pod, self.now) for pod in self.idle}

    @cached_property
    def failures(self) -> list[Pod]:
        """Idle Pods that ended by their own fault not long ago, the oldest first."""
        return sorted((pod for pod in self.idle if _is_failure(self, pod)), key=_finish)

    @cached_property
    def problem(self) -> tuple[str, str, bool] | None:
        """The reason why idle Pods are missing, in words, and whether it may pass."""
        return _problem(self)

    def runs(self, pod: Pod) -> bool:
        """Whether an idle Pod is ready for work."""
        return self.sights[pod.name].stage is Stage.RUNNING


def decide_pool(scene: PoolScene, patience: Patience) -> Decision:
    """What to do about one RunnerPool's Pods."""
    if scene.pool.metadata.deletion_timestamp is not None:
        return Decision()
    label = template_hash(scene.pool)
    fresh = [pod for pod in scene.live if pod.labels.get(TEMPLATE) == label]
    # What waits at full size has the room that its run will need; or none, and then the run has a Pod of its own.
    small = scene.room_to_grow and growth_of(scene.pool) is not None
    # At the version that was seen: a Pod that was bound, or that a TaskRun took in the meantime, is looked at again.
    actions: list[Action] = [DeletePod(pod.name, pod.uid, pod.version) for pod in _unneeded(scene, fresh)]
    missing = scene.pool.spec.replicas - len(fresh)
    careful = bool(scene.failures) and not _is_proven(scene)
    wait = _back_off(scene) if careful else timedelta(0)
    waits = [kept for pod in scene.idle if not pod.deletion_at and (kept := _kept_for(scene, pod)) > timedelta(0)]
    if missing > 0 and wait > timedelta(0):
        waits.append(wait)
    elif missing > 0 and not careful:
        actions.append(CreateIdlePods(min(missing, MOST_CREATED), small))
    elif missing > 0 and not any(pod.created_at > _finish(scene.failures[-1]) for pod in fresh):
        actions.append(CreateIdlePods(1, small))
    if missing > 0 and careful:
        waits.append(PROVEN)
    left = _patience_left(scene, patience)
    if left is not None and left > timedelta(0):
        waits.append(left)
    return Decision(tuple(actions), min(waits).total_seconds() if waits else None)


def pool_status(scene: PoolScene, patience: Patience) -> RunnerPoolStatus:
    """What is to be said of a RunnerPool."""
    running = sum(scene.runs(pod) for pod in scene.live)
    claimed = sum(not pod.is_leaving and scene.is_claimed(pod) for pod in scene.pods)
    label = names.label_value(scene.pool.metadata.name)
    return RunnerPoolStatus(
        replicas=len(scene.live),
        idle=running,
        claimed=claimed,
        starting=len(scene.live) - running,
        selector=f"{names.MANAGED_BY}={names.MANAGER},{names.POOL}={label},!{names.RUN}",
        conditions=[_ready(scene, running, patience), *_waiting(scene, running, patience)],
        observed_generation=scene.pool.metadata.generation,
    )


def _unneeded(scene: PoolScene, fresh: Sequence[Pod]) -> list[Pod]:
    """Ended ones that tell nothing more, those of another template, and those that are too many.

    A Pod that runs may have work that no TaskRun tells of yet, so of too many only those go that cannot have any: the
    control plane, which knows, tells the others to leave. It does not know which Pods are of another template, so those go
    even if they run, once others serve: work that such a Pod just took is lost by the infrastructure, and so repeated.
    """
    failed = {pod.name for pod in scene.failures}
    ended = [pod for pod in scene.idle if pod.all_ended and pod.deletion_at is None and pod.name not in failed]
    gone = [pod for pod in ended if _kept_for(scene, pod) <= timedelta(0)]
    wanted = scene.pool.spec.replicas
    serves = sum(scene.runs(pod) for pod in fresh) >= wanted
    good = {pod.name for pod in fresh}
    stale = [pod for pod in scene.live if pod.name not in good and (serves or _has_no_work(scene, pod))]
    workless = [pod for pod in fresh if _has_no_work(scene, pod)]
    youngest_first = sorted(workless, key=lambda pod: -pod.created_at.timestamp())
    return [*gone, *stale, *youngest_first[: max(0, len(fresh) - wanted)]]


def _has_no_work(scene: PoolScene, pod: Pod) -> bool:
    """Whether nobody can have given it any: it has no node, or something there keeps its container from being started."""
    sight = scene.sights[pod.name]
    starting = any(entry.container == names.CONTAINER and entry.reason == _STARTING for entry in pod.waiting)
    return sight.stage is Stage.WAITING and (pod.node is None or (sight.reason is not None and not starting))


def _kept_for(scene: PoolScene, pod: Pod) -> timedelta:
    """For how long a Pod that ended well is left for a TaskRun that may name it."""
    return _finish(pod) + SERVED_KEPT - scene.now if pod.all_ended and has_served(pod) else timedelta(0)


def _is_failure(scene: PoolScene, pod: Pod) -> bool:
    sight = scene.sights[pod.name]
    if sight.stage is not Stage.ENDED or has_served(pod):
        return False
    own_fault = sight.reason is not Reason.COMPLETED and sight.reason not in INFRASTRUCTURE
    return own_fault and scene.now - _finish(pod) < FAILED_KEPT


def _finish(pod: Pod) -> datetime:
    ended = pod.runner_ended
    return (ended.finished_at if ended is not None else None) or pod.created_at


def _is_proven(scene: PoolScene) -> bool:
    """Whether a Pod that started since the last failure has run well, with a run or without."""
    last = _finish(scene.failures[-1])
    started = [(pod, pod.started_at) for pod in scene.pods if pod.started_at is not None and pod.started_at > last]
    return any(has_served(pod) or (not pod.is_leaving and scene.now - since >= PROVEN) for pod, since in started)


def _back_off(scene: PoolScene) -> timedelta:
    """How long to wait before another Pod is tried; grows with the failures in a row."""
    waves, last = 0, None
    for created in sorted(pod.created_at for pod in scene.failures):
        if last is None or created - last > WAVE:
            waves += 1
        last = created
    pause = min(LONGEST_BACK_OFF, BACK_OFF * (1 << (waves - 1)))
    return _finish(scene.failures[-1]) + pause - scene.now


def _ready(scene: PoolScene, running: int, patience: Patience) -> Condition:
    wanted = scene.pool.spec.replicas
    if wanted == 0:
        return _condition(scene, "Ready", True, "ScaledToZero", "no idle runners are wanted")
    if running >= wanted:
        return _condition(scene, "Ready", True, "RunnersIdle", "")
    problem = scene.problem
    if problem is None:
        return _condition(scene, "Ready", False, "Starting", "")
    if _may_pass(scene, patience):
        # Who reads its name here gives up.
        return _condition(scene, "Ready", False, "Starting", "")
    reason, message, _ = problem
    return _condition(scene, "Ready", False, reason, message)


def _waiting(scene: PoolScene, running: int, patience: Patience) -> list[Condition]:
    """What holds Pods up for now, if anything does."""
    problem = scene.problem
    if problem is None or running >= scene.pool.spec.replicas or not _may_pass(scene, patience):
        return []
    return [_condition(scene, "Waiting", True, problem[0], problem[1])]


def _may_pass(scene: PoolScene, patience: Patience) -> bool:
    problem, left = scene.problem, _patience_left(scene, patience)
    return problem is not None and problem[2] and left is not None and left > timedelta(0)


def _problem(scene: PoolScene) -> tuple[str, str, bool] | None:
    if scene.refusal is not None:
        return scene.refusal.reason, scene.refusal.message, scene.refusal.reason not in _HOPELESS_AT_ONCE
    for pod in scene.idle:
        sight = scene.sights[pod.name]
        if sight.stage is Stage.WAITING and sight.reason is not None and not pod.is_leaving:
            return sight.reason, f"Pod {pod.name}: {sight.message}", not sight.hopeless
    if not scene.failures:
        return None
    last = scene.failures[-1]
    sight = scene.sights[last.name]
    return sight.reason or Reason.ERROR, f"Pod {last.name} ended: {_last_words(sight)}", False


def _last_words(sight: Sight) -> str:
    code = f" (exit code {sight.exit_code})" if sight.exit_code is not None else ""
    return f"{sight.reason}{code}: {sight.message or ''}"


def _patience_left(scene: PoolScene, patience: Patience) -> timedelta | None:
    """How long a problem that may pass may go on; None where there is none."""
    problem = scene.problem
    if problem is None or not problem[2]:
        return None
    before = statuses.condition_of(scene.pool.status.conditions, "Ready")
    since = before.last_transition_time if before is not None and before.status == "False" else scene.now
    return patience.for_reason(Reason(problem[0])) - (scene.now - since)


def _condition(scene: PoolScene, kind: str, true: bool, reason: str, message: str) -> Condition:
    before = statuses.condition_of(scene.pool.status.conditions, kind)
    status = "True" if true else "False"
    same = before is not None and before.status == status
    return Condition(
        type=kind,
        status=status,
        reason=str(reason),
        message=message,
        last_transition_time=before.last_transition_time if before and same else statuses.to_second(scene.now),
        observed_generation=scene.pool.metadata.generation,
    )
