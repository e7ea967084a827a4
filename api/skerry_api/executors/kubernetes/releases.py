"""Workflow objects → versions: an image is run in register mode, and becomes the version that new runs use.

A version is named by what it was released from, so the same Workflow, written by whatever means and however often, is the same
version. While it registers, its RunnerPool of the default plan has one runner; a bad image or an import error leaves the
version before it in use.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import structlog

from skerry_api.domain import ids
from skerry_api.domain.errors import SkerryError, Unavailable
from skerry_api.domain.plans import DEFAULT_PLAN, plan_named
from skerry_api.engine.engines import Engine
from skerry_api.executors.kubernetes import templates
from skerry_api.executors.kubernetes.metrics import Metrics
from skerry_api.executors.kubernetes.reflections import Reflection
from skerry_api.executors.kubernetes.registrations import Failed, HeldUp, judge
from skerry_api.executors.kubernetes.templates import PodDefaults
from skerry_api.storage import workflows
from skerry_objects import names
from skerry_objects.clients import RUNNER_POOLS, WORKFLOWS, ApiError, Client, Unreachable
from skerry_objects.models import Condition
from skerry_objects.runner_pools import RunnerPool
from skerry_objects.workflows import Workflow, WorkflowStatus

log = structlog.get_logger(__name__)

Row = Mapping[Any, Any]

POLL_SECONDS = 1.0
RESYNC_SECONDS = 30.0


class Releases:
    """Brings Workflow objects and versions together, on the replica that leads."""

    def __init__(
        self,
        engine: Engine,
        client: Client,
        namespace: str,
        pods: PodDefaults,
        seen: Reflection[Workflow],
        pools: Reflection[RunnerPool],
        metrics: Metrics,
    ) -> None:
        """`seen` and `pools` are objects as the API server shows them."""
        self._engine = engine
        self._metrics = metrics
        self._client = client
        self._namespace = namespace
        self._pods = pods
        self._seen = seen
        self._pools = pools
        self._dirty: set[str] = set()
        self._open: set[str] = set()
        self._wake = asyncio.Event()
        self._next_resync = 0.0
        self._registering_since: dict[str, float] = {}

    def changed(self, name: str) -> None:
        """A Workflow came, changed or went."""
        self._dirty.add(name)
        self._wake.set()

    def pool_changed(self, name: str) -> None:
        """A RunnerPool came, changed or went: perhaps that of a version that registers."""
        if self._open:
            self._wake.set()

    async def run(self) -> None:
        """Reconcile until cancelled."""
        while True:
            self._wake.clear()
            due, self._dirty = self._dirty | self._open, set()
            if time.monotonic() >= self._next_resync:
                self._next_resync = time.monotonic() + RESYNC_SECONDS
                due |= self._seen.objects.keys()
            for name in due:
                await self._attend(name)
            try:
                async with asyncio.timeout(POLL_SECONDS if self._open else RESYNC_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _attend(self, name: str) -> None:
        seen = self._seen.objects.get(name)
        self._open.discard(name)
        if seen is None or seen.metadata.deletion_timestamp is not None:
            return
        try:
            with self._metrics.asking():
                released = await self._release(seen)
            if not released:
                self._open.add(name)
        except (Unavailable, Unreachable, ApiError) as error:
            log.warning("release_delayed", workflow=name, error=str(error))
            self._open.add(name)
        except (SkerryError, ValueError) as error:
            await self._refuse(seen, error)

    async def _refuse(self, seen: Workflow, error: SkerryError | ValueError) -> None:
        """Say what is wrong with a Workflow, such as a template that makes no Pod: the others must not suffer."""
        reason = error.code if isinstance(error, SkerryError) else "InvalidSpec"
        log.warning("release_refused", workflow=seen.metadata.name, reason=reason, error=str(error))
        try:
            with self._metrics.asking():
                await self._say(seen, None, (), "False", reason, str(error))
        except (ApiError, Unreachable) as away:
            log.warning("release_delayed", workflow=seen.metadata.name, error=str(away))
            self._open.add(seen.metadata.name)

    async def _release(self, seen: Workflow) -> bool:
        """Bring one Workflow further; True when nothing is left to do."""
        source = templates.source_of(seen.spec)
        version = await begin_version(self._engine, seen)
        status = version["status"]
        if status == "registering":
            await self._ensure_pool(seen, version["id"], source, replicas=1)
            await self._register(seen, version)
            return False
        self._registering_since.pop(version["id"], None)
        if status == "ready":
            if seen.status.version != version["id"]:
                await self._engine.registry.readmit_version(version["id"])
            tasks = sorted(await self._engine.registry.tasks_of(version["id"]))
            await self._say(seen, version["id"], tasks, "True", "Registered", f"{len(tasks)} task(s) registered")
        else:
            message = version["error"] or "registration failed"
            await self._say(seen, None, (), "False", "RegistrationFailed", message)
        return True

    async def _ensure_pool(self, seen: Workflow, version_id: str, source: Row, replicas: int) -> None:
        plan = plan_named(DEFAULT_PLAN)
        name = names.pool_name(version_id, plan.name)
        found = self._pools.objects.get(name)
        if found is None:
            if replicas:
                pool = templates.runner_pool(seen.metadata.name, version_id, plan, source, self._pods, replicas)
                try:
                    await self._client.create(RUNNER_POOLS, self._namespace, pool.to_json())
                except ApiError as error:
                    if error.status != 409:
                        raise
        elif found.spec.replicas != replicas:
            await self._client.patch(RUNNER_POOLS, self._namespace, name, {"spec": {"replicas": replicas}})

    async def _register(self, seen: Workflow, version: Row) -> None:
        """Tell how the registration stands, and end it when there is no hope."""
        began = self._registering_since.setdefault(version["id"], time.monotonic())
        pool = self._pools.objects.get(names.pool_name(version["id"], DEFAULT_PLAN))
        standing = judge(pool, time.monotonic() - began)
        if isinstance(standing, Failed):
            error = {"type": standing.reason, "message": standing.message}
            await self._engine.finish_registration(version["workflow_id"], version["id"], {"error": error})
            self._wake.set()  # To say so at once.
            return
        held_up = asdict(standing) if isinstance(standing, HeldUp) else None
        if held_up != version["waiting"]:
            async with self._engine.database.transaction() as connection:
                await workflows.note_waiting(connection, version["id"], held_up)
            if held_up is not None:
                log.warning("release_waits", workflow=seen.metadata.name, version=version["id"], **held_up)
        await self._say(seen, None, (), "False", standing.reason, standing.message)

    async def _say(
        self, seen: Workflow, version: str | None, tasks: Any, ready: Any, reason: str, message: str
    ) -> None:
        """Write the status, if it says something new."""
        before = next((entry for entry in seen.status.conditions if entry.type == "Ready"), None)
        changed = before is None or before.status != ready
        condition = Condition(
            type="Ready",
            status=ready,
            reason=reason,
            message=message[:32_000],
            last_transition_time=datetime.now(UTC).replace(microsecond=0)
            if changed or before is None
            else before.last_transition_time,
            observed_generation=seen.metadata.generation,
        )
        status = WorkflowStatus(
            version=version or seen.status.version,
            tasks=list(tasks or seen.status.tasks),
            conditions=[condition],
            observed_generation=seen.metadata.generation,
        )
        if status.to_json() == seen.status.to_json():
            return
        name = seen.metadata.name
        await self._client.patch(WORKFLOWS, self._namespace, name, {"status": status.to_json()}, subresource="status")


async def begin_version(engine: Engine, seen: Workflow) -> Row:
    """The version that a Workflow object stands for, made if there is none."""
    slug, limit = seen.metadata.name, seen.spec.concurrency_limit
    registry = engine.registry
    async with engine.database.transaction() as connection:
        row = await workflows.fetch_workflow(connection, slug=slug)
    if row is None:
        row = await registry.create_workflow(slug, isolation="container", concurrency_limit=limit)
    if row["isolation"] != "container" or row["concurrency_limit"] != limit:
        values = {"isolation": "container", "concurrency_limit": limit}
        row = await registry.update_workflow(row["id"], values)
    source = templates.source_of(seen.spec)
    name = templates.version_name(source)
    async with engine.database.transaction() as connection:
        version = await workflows.fetch_version(connection, workflow_id=row["id"], name=name)
    if version is not None:
        return version
    new = ids.new_id(ids.VERSION)
    version_id = await registry.create_version(row["id"], name, new, image=seen.spec.image, source=source)
    if version_id == new:  # Somebody else may have made it meanwhile: the leader, or whoever was asked to release it.
        log.info("version_released", workflow=slug, version=version_id, name=name, image=seen.spec.image)
    async with engine.database.transaction() as connection:
        begun = await workflows.fetch_version(connection, version_id)
    if begun is None:
        raise Unavailable(f"version {version_id} of {slug} is gone: was the workflow deleted?")
    return begun
