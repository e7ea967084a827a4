"""The Kubernetes executor: on every replica it identifies runners; on one, which leads, it keeps objects and record in step."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog

from skerry_api.domain.errors import InvalidRequest, Unavailable
from skerry_api.domain.pools import WarmPolicy
from skerry_api.engine.engines import Engine
from skerry_api.executors.kubernetes.identities import Identities
from skerry_api.executors.kubernetes.launches import Launches
from skerry_api.executors.kubernetes.metrics import Metrics
from skerry_api.executors.kubernetes.pools import Pools
from skerry_api.executors.kubernetes.reflections import MANAGED, Reflection
from skerry_api.executors.kubernetes.releases import Releases, begin_version
from skerry_api.executors.kubernetes.templates import PodDefaults
from skerry_api.executors.kubernetes.warm_usages import WarmUsages
from skerry_api.storage.leaderships import Leadership, Led, lead
from skerry_objects.clients import RUNNER_POOLS, TASK_RUNS, WORKFLOWS, ApiError, Client, Unreachable
from skerry_objects.configurations import Configuration
from skerry_objects.names import API_VERSION, GROUP, MANAGED_BY, MANAGER
from skerry_objects.runner_pools import RunnerPool
from skerry_objects.task_runs import TaskRun
from skerry_objects.workflows import Workflow

log = structlog.get_logger(__name__)

LEAD_AGAIN_SECONDS = 2.0
RELEASED_AT = f"{GROUP}/released-at"


class KubernetesExecutor:
    """Runners as Pods of one namespace."""

    def __init__(
        self, engine: Engine, configuration: Configuration, namespace: str, pods: PodDefaults, warm: WarmPolicy
    ) -> None:
        """Write objects into `namespace`; Pods are as `pods` says, and wait ahead as `warm` does."""
        self._engine = engine
        self._namespace = namespace
        self._pods = pods
        self._warm = warm
        self._client = Client(configuration)
        self._metrics = Metrics()
        engine.telemetry.collect_also(self._metrics.registry)
        self._usages = WarmUsages(engine.database, self._metrics)
        self._identities = Identities(self._client, namespace, self._metrics)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Identify runners from now on, and lead when nobody else does."""
        await self._client.__aenter__()
        self._engine.identify_pod = self._identities.identify
        self._task = asyncio.create_task(self._lead_forever(), name="kubernetes executor")

    async def stop(self) -> None:
        """Let somebody else lead. Pods go on: their runners find another replica."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._client.__aexit__(None, None, None)

    async def release(self, slug: str, spec: Mapping[str, Any]) -> str:
        """Write a Workflow object and begin its version; whoever leads has it registered.

        What `spec` does not name stays as it is. A version that failed before is tried again: its image may be there now.

        Raises:
            InvalidRequest: the API server does not take such a Workflow.
            Unavailable: it, or Postgres, cannot be reached.
        """
        try:
            with self._metrics.asking():
                written = await self._write_workflow(slug, spec)
        except Unreachable as error:
            raise Unavailable(str(error)) from error
        except ApiError as error:
            if error.status in (400, 403, 422):
                raise InvalidRequest(
                    f"the cluster refuses this release: {error.message}", code="release_refused"
                ) from error
            raise Unavailable(f"the cluster does not take the release now: {error.message}") from error
        version = await begin_version(self._engine, Workflow.model_validate(written))
        version_id: str = version["id"]
        await self._engine.registry.readmit_version(version_id)
        return version_id

    async def _write_workflow(self, slug: str, spec: Mapping[str, Any]) -> Mapping[str, Any]:
        # The moment makes it a change also where nothing else does, and so wakes whoever leads.
        metadata: dict[str, Any] = {"annotations": {RELEASED_AT: datetime.now(UTC).isoformat()}}
        try:
            return await self._client.patch(
                WORKFLOWS, self._namespace, slug, {"metadata": metadata, "spec": _exclusive(spec)}
            )
        except ApiError as error:
            if error.status != 404:
                raise
        metadata |= {"name": slug, "labels": {MANAGED_BY: MANAGER}}
        body = {"apiVersion": API_VERSION, "kind": "Workflow", "metadata": metadata, "spec": spec}
        return await self._client.create(WORKFLOWS, self._namespace, body)

    async def withdraw(self, slug: str) -> None:
        """Remove a Workflow object, so that nobody releases it again.

        Raises:
            Unavailable: the API server cannot be reached, or does not do it.
        """
        try:
            with self._metrics.asking():
                await self._client.delete(WORKFLOWS, self._namespace, slug)
        except (Unreachable, ApiError) as error:
            raise Unavailable(f"the cluster does not remove the Workflow now: {error}") from error

    async def _lead_forever(self) -> None:
        while True:
            try:
                async with lead(self._engine.database, "kubernetes executor") as leadership:
                    log.info("leading")
                    await self._lead(leadership)
            except Led:
                log.debug("following")
            except Unavailable as away:
                log.warning("not_leading", error=away.message)
            except Exception:
                # Whatever broke, whoever leads next begins from what record and cluster show; perhaps another replica.
                log.exception("lead_failed")
            await asyncio.sleep(LEAD_AGAIN_SECONDS)

    async def _lead(self, leadership: Leadership) -> None:
        """Reconcile for as long as the right to do so lasts."""
        client, namespace, metrics = self._client, self._namespace, self._metrics

        def pool_changed(name: str) -> None:
            launches.pool_changed(name, is_there=name in pools.objects)
            releases.pool_changed(name)
            sizes.wake()

        def run_changed(name: str) -> None:
            launches.changed(name)
            if name in runs.objects:
                sizes.observe(runs.objects[name])

        runs = Reflection(client, TASK_RUNS, namespace, TaskRun, run_changed, metrics, MANAGED)
        pools = Reflection(client, RUNNER_POOLS, namespace, RunnerPool, pool_changed, metrics, MANAGED)
        seen = Reflection(client, WORKFLOWS, namespace, Workflow, lambda name: releases.changed(name), metrics)
        launches = Launches(self._engine, client, namespace, self._pods, runs, pools, metrics)
        releases = Releases(self._engine, client, namespace, self._pods, seen, pools, metrics)
        sizes = Pools(self._engine, client, namespace, self._pods, self._warm, pools, seen, runs, metrics, self._usages)

        def queued(pool: str) -> None:
            launches.wake(pool)
            sizes.wake()

        self._engine.dispatcher.on_queued = queued
        metrics.leader.set(1)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(leadership.watch())
                for reflection in (runs, pools, seen):
                    group.create_task(reflection.run())
                for reflection in (runs, pools, seen):
                    await reflection.synced.wait()
                group.create_task(launches.run())
                group.create_task(releases.run())
                group.create_task(sizes.run())
        except* Unavailable as lost:
            log.warning("lead_lost", error=str(lost.exceptions[0]))
        finally:
            self._engine.dispatcher.on_queued = None
            metrics.leader.set(0)
            metrics.waits(())
            await self._usages.stop()


def _exclusive(spec: Mapping[str, Any]) -> dict[str, Any]:
    """`spec` as a change: a program given in one way takes the place of one given in the other."""
    named = {"app", "command"} & spec.keys()
    return {**(dict.fromkeys(("app", "command")) if named else {}), **spec}
