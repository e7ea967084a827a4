"""Observe, decide, apply: for one TaskRun or one RunnerPool at a time."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import structlog

from skerry_objects.clients import ApiError, Unreachable
from skerry_objects.models import Model
from skerry_objects.runner_pools import RunnerPool
from skerry_objects.task_runs import TERMINAL, Phase, Reason, TaskRun
from skerry_operator import statuses
from skerry_operator.announcements import Announcer
from skerry_operator.classifications import Refusal, classify_refusal
from skerry_operator.clusters import Cluster, NameTaken, postponed
from skerry_operator.decisions import growths
from skerry_operator.decisions.actions import (
    Action,
    AdoptPod,
    Announce,
    CreateIdlePods,
    CreatePod,
    Decision,
    DeletePod,
    DeleteTaskRun,
    ResizePod,
    WriteStatus,
)
from skerry_operator.decisions.runner_pools import PoolScene, decide_pool, pool_status
from skerry_operator.decisions.task_runs import STARTED, Patience, Scene, decide, decide_refused, expected_pod, is_over
from skerry_operator.manifests import Surroundings, adoption, attempt_pod, idle_pod
from skerry_operator.metrics import Metrics
from skerry_operator.paces import Turns
from skerry_operator.pods import Pod
from skerry_operator.queues import Postponed
from skerry_operator.stores import Key, Kind, Store, Touch, Touched

log = structlog.get_logger(__name__)

_SUFFIX_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"


class Reconciler:
    """Brings objects further, from what the store knows.

    Attributes:
        turns: when it is said of a run that it runs.
        can_resize: whether Pods that wait may be small, because the cluster lets them grow.
    """

    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        around: Surroundings,
        patience: Patience,
        announcer: Announcer,
        metrics: Metrics,
        enqueue: Callable[[Touched], None],
    ) -> None:
        """`enqueue` hears which keys an answer of the API server concerns."""
        self._cluster = cluster
        self._store = store
        self._around = around
        self._patience = patience
        self._announcer = announcer
        self._metrics = metrics
        self._enqueue = enqueue
        self.can_resize = False
        self.turns = Turns(cluster.pace, self._is_unsaid, lambda name: enqueue([Touch(Key(Kind.TASK_RUN, name))]))

    async def reconcile(self, key: Key) -> float | None:
        """Bring one object further; returns after how many seconds to look again.

        Raises:
            Postponed: the API server cannot do what is needed now.
        """
        began = time.perf_counter()
        try:
            if key.kind is Kind.TASK_RUN:
                return await self._task_run(key.name)
            return await self._pool(key.name)
        except (ApiError, Unreachable) as error:
            if isinstance(error, ApiError) and error.status == 404:
                return None  # It is gone; its event is on the way.
            raise postponed(error) from error
        finally:
            self._metrics.reconciled(key.kind, time.perf_counter() - began)

    async def _task_run(self, name: str) -> float | None:
        # Also of a run that is gone: a turn that nobody takes would be kept for ever.
        has_turn = self.turns.take(name)
        run = self._store.task_run(name)
        if run is None:
            return None
        scene = await self._observe(run)
        decision = decide(scene, self._patience)
        for action in decision.actions:
            if not has_turn and _says_running(action):
                self.turns.ask(name)
                continue
            # A status that does not wait for its turn takes its Event with it.
            has_turn = has_turn or isinstance(action, WriteStatus)
            refusal = await self._apply(run, action)
            if refusal is not None:
                log.info("pod_refused", run=name, reason=refusal.reason, message=refusal.message)
                decision = await self._decide_refused(scene, action, refusal)
                for following in decision.actions:
                    await self._apply(run, following)
                break
        return decision.look_again

    async def _decide_refused(self, scene: Scene, action: Action, refusal: Refusal) -> Decision:
        if isinstance(action, ResizePod):
            # As it is now: perhaps it was adopted a moment ago.
            return decide(replace(await self._observe(scene.run), unresized=refusal), self._patience)
        return decide_refused(scene, refusal, self._patience)

    def _is_unsaid(self, name: str) -> bool:
        run = self._store.task_run(name)
        return run is not None and not is_over(run)

    async def _observe(self, run: TaskRun) -> Scene:
        name = expected_pod(run)
        departed = self._store.departed_pod(name)
        should_be = run.spec.pod_name is not None or statuses.present(run).pod_uid is not None
        # What is missing is asked for before it is said to be: the watch of another kind may only be late.
        if should_be and departed is None and self._store.pod(name) is None and not is_over(run):
            await self._look_up(Kind.POD, name)
        pod = self._store.pod(name)
        if pod is None and self._store.pool(run.spec.pool_ref) is None and not is_over(run):
            await self._look_up(Kind.RUNNER_POOL, run.spec.pool_ref)
        others = [entry for entry in self._store.pods_of(run.metadata.uid or "") if entry.name != name]
        has_pool = self._store.pool(run.spec.pool_ref) is not None
        return Scene(run, pod, departed, others, has_pool, datetime.now(UTC))

    async def _look_up(self, kind: Kind, name: str) -> bool:
        item = await self._cluster.find(kind, name)
        if item is not None:
            self._enqueue(self._store.put(kind, item))
        return item is not None

    async def _apply(self, run: TaskRun, action: Action) -> Refusal | None:
        name = run.metadata.name
        match action:
            case CreatePod():
                return await self._create(run)
            case AdoptPod(pod):
                change = adoption(run, pod, datetime.now(UTC))
                self._enqueue(self._store.put(Kind.POD, await self._cluster.change_pod(pod.name, change)))
            case ResizePod(pod):
                return await self._resize(pod)
            case DeletePod():
                await self._remove(action, run=name)
            case WriteStatus(status):
                self._enqueue(await self._write(Kind.TASK_RUN, run, status))
                if status.phase in TERMINAL:
                    self._metrics.ended(status.reason or "")
            case DeleteTaskRun():
                await self._cluster.delete_task_run(name, run.metadata.uid)
            case Announce():
                self._announcer.announce(run, action)
            case CreateIdlePods():
                raise AssertionError("a TaskRun has no idle Pods")
        return None

    async def _create(self, run: TaskRun) -> Refusal | None:
        pool = self._store.pool(run.spec.pool_ref)
        if pool is None:
            return None  # It went just now: the next look finds it missing.
        manifest = attempt_pod(run, pool, self._around)
        name = manifest["metadata"]["name"]
        try:
            item = await self._cluster.create_pod(manifest)
        except NameTaken:
            if not await self._look_up(Kind.POD, name):
                raise Postponed(f"Pod {name} was there and is gone again") from None
            # Ours, made before a restart, or another's: the next look tells.
            self._enqueue([Touch(Key(Kind.TASK_RUN, run.metadata.name))])
            return None
        except ApiError as error:
            refusal = classify_refusal(error.status, error.message)
            if refusal is None:
                raise
            return refusal
        self._store.put(Kind.POD, item)
        self._announcer.announce(run, Announce("Normal", "PodCreated", f"created Pod {name}"))
        return None

    async def _resize(self, pod: Pod) -> Refusal | None:
        try:
            item = await self._cluster.resize_pod(pod.name, pod.ungrown)
        except ApiError as error:
            refusal = classify_refusal(error.status, error.message)
            if refusal is None:
                raise
            return refusal
        if item is not None:
            self._enqueue(self._store.put(Kind.POD, item))
        return None

    async def _remove(self, doomed: DeletePod, **whose: str) -> None:
        if self._store.was_removed(doomed.uid):
            return
        if await self._cluster.delete_pod(doomed.name, doomed.uid, doomed.version) or doomed.version is None:
            log.info("pod_removed", pod=doomed.name, **whose)
            self._store.note_removal(doomed.uid)
        else:
            # It changed since it was seen: as it is now, it may be wanted. What is new of it has its pool looked at again.
            await self._look_up(Kind.POD, doomed.name)

    async def _pool(self, name: str) -> float | None:
        scene = self._observe_pool(name)
        if scene is None:
            return None
        decision = decide_pool(scene, self._patience)
        refusal = await self._apply_pool(scene.pool, decision)
        after = self._observe_pool(name, refusal) if decision.actions else scene
        if after is None:
            return None
        await self._write(Kind.RUNNER_POOL, after.pool, pool_status(after, self._patience))
        if refusal is not None:
            raise Postponed(f"no idle Pod can be made: {refusal.message}", seconds=5.0)
        return decision.look_again

    async def _apply_pool(self, pool: RunnerPool, decision: Decision) -> Refusal | None:
        for action in decision.actions:
            match action:
                case DeletePod():
                    await self._remove(action, pool=pool.metadata.name)
                case CreateIdlePods(count, small):
                    for _ in range(count):
                        refusal = await self._create_idle(pool, small=small)
                        if refusal is not None and refusal.reason is Reason.REFUSED and small:
                            # A LimitRange may have a minimum that only full ones reach.
                            refusal = await self._create_idle(pool, small=False)
                        if refusal is not None:
                            return refusal
        return None

    async def _create_idle(self, pool: RunnerPool, *, small: bool) -> Refusal | None:
        suffix = "".join(secrets.choice(_SUFFIX_LETTERS) for _ in range(5))
        try:
            item = await self._cluster.create_pod(idle_pod(pool, suffix, self._around, small=small))
        except NameTaken:
            return None  # One in fourteen million; the next look makes another.
        except ApiError as error:
            refusal = classify_refusal(error.status, error.message)
            if refusal is None:
                raise
            return refusal
        # At once, so that the next look counts it: a watch that is late must not make a second one.
        self._store.put(Kind.POD, item)
        return None

    def _observe_pool(self, name: str, refusal: Refusal | None = None) -> PoolScene | None:
        pool = self._store.pool(name)
        if pool is None:
            return None
        pods = self._store.pods_of_pool(name)
        room = self.can_resize and not any(self._is_unresized(pod) for pod in pods)
        return PoolScene(pool, pods, self._store.claimed(), datetime.now(UTC), refusal, room)

    def _is_unresized(self, pod: Pod) -> bool:
        """Whether a Pod goes on small with its run, because the cluster has no room for more."""
        if pod.is_leaving or pod.owner is None or pod.owner.kind != Kind.TASK_RUN:
            return False
        if growths.pending(pod) is not None:
            return True
        if not pod.ungrown:
            return False
        run = self._store.task_run(pod.owner.name)
        return run is not None and run.status.pod_uid == pod.uid and growths.refused(run.status) is not None

    async def _write(self, kind: Kind, stored: TaskRun | RunnerPool, status: Model) -> Touched:
        change = statuses.change(stored.status, status)
        if not change:
            return []
        name, version = stored.metadata.name, stored.metadata.resource_version
        return self._store.put(kind, await self._cluster.write_status(kind, name, version, change))


def _says_running(action: Action) -> bool:
    match action:
        case WriteStatus(status):
            # Its pool must know soon that there is no room.
            return status.phase is Phase.RUNNING and growths.refused(status) is None
        case Announce(_, reason):
            return reason == STARTED
        case _:
            return False
