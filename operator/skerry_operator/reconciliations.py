"""Observe, decide, apply: for one TaskRun or one RunnerPool at a time."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from skerry_objects.clients import ApiError, Unreachable
from skerry_objects.runner_pools import RunnerPool
from skerry_objects.task_runs import TERMINAL, TaskRun
from skerry_operator import statuses
from skerry_operator.announcements import Announcer
from skerry_operator.classifications import Refusal, classify_refusal
from skerry_operator.clusters import Cluster, NameTaken, postponed
from skerry_operator.decisions.actions import (
    Action,
    AdoptPod,
    Announce,
    CreateIdlePods,
    CreatePod,
    Decision,
    DeletePod,
    DeleteTaskRun,
    WriteStatus,
)
from skerry_operator.decisions.runner_pools import PoolScene, decide_pool, pool_status
from skerry_operator.decisions.task_runs import Patience, Scene, decide, decide_refused, expected_pod, is_over
from skerry_operator.manifests import Surroundings, adoption, attempt_pod, idle_pod
from skerry_operator.metrics import Metrics
from skerry_operator.queues import Postponed
from skerry_operator.stores import Key, Kind, Store, Touched

log = structlog.get_logger(__name__)

_SUFFIX_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"


class Reconciler:
    """Brings objects further, from what the store knows."""

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
        run = self._store.task_run(name)
        if run is None:
            return None
        scene = await self._observe(run)
        decision = decide(scene, self._patience)
        for action in decision.actions:
            refusal = await self._apply(run, action)
            if refusal is not None:
                log.info("pod_refused", run=name, reason=refusal.reason, message=refusal.message)
                decision = decide_refused(scene, refusal, self._patience)
                for following in decision.actions:
                    await self._apply(run, following)
                break
        return decision.look_again

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
            case DeletePod():
                await self._remove(action, run=name)
            case WriteStatus(status):
                change = statuses.change(run.status, status)
                item = await self._write(Kind.TASK_RUN, run, change)
                self._enqueue(self._store.put(Kind.TASK_RUN, item))
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
            self._enqueue([(Key(Kind.TASK_RUN, run.metadata.name), 0.0)])
            return None
        except ApiError as error:
            refusal = classify_refusal(error.status, error.message)
            if refusal is None:
                raise
            return refusal
        self._store.put(Kind.POD, item)
        self._announcer.announce(run, Announce("Normal", "PodCreated", f"created Pod {name}"))
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
        after = self._observe_pool(name, refusal)
        if after is None:
            return None
        change = statuses.change(after.pool.status, pool_status(after, self._patience))
        if change:
            self._store.put(Kind.RUNNER_POOL, await self._write(Kind.RUNNER_POOL, after.pool, change))
        if refusal is not None:
            raise Postponed(f"no idle Pod can be made: {refusal.message}", seconds=5.0)
        return decision.look_again

    async def _apply_pool(self, pool: RunnerPool, decision: Decision) -> Refusal | None:
        for action in decision.actions:
            match action:
                case DeletePod():
                    await self._remove(action, pool=pool.metadata.name)
                case CreateIdlePods(count):
                    for _ in range(count):
                        refusal = await self._create_idle(pool)
                        if refusal is not None:
                            return refusal
        return None

    async def _create_idle(self, pool: RunnerPool) -> Refusal | None:
        suffix = "".join(secrets.choice(_SUFFIX_LETTERS) for _ in range(5))
        try:
            item = await self._cluster.create_pod(idle_pod(pool, suffix, self._around))
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
        taken = {pod.name for pod in pods if self._store.is_claimed(pod.name)}
        return PoolScene(pool, pods, taken, datetime.now(UTC), refusal)

    async def _write(self, kind: Kind, stored: TaskRun | RunnerPool, change: dict[str, Any]) -> dict[str, Any]:
        metadata = stored.metadata
        return await self._cluster.write_status(kind, metadata.name, metadata.resource_version, change)
