"""Triggers become runs: everything is checked first, then one statement stores run, input and first attempt."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from skerry_api.domain import ids
from skerry_api.domain.errors import Conflict, InvalidRequest, NotFound, PayloadTooLarge
from skerry_api.domain.plans import plan_named
from skerry_api.domain.retries import Retry
from skerry_api.domain.states import RUN_TERMINAL, RunStatus
from skerry_api.domain.tasks import check_arguments, check_retry, check_timeout
from skerry_api.engine.dispatchers import Dispatcher, Slot
from skerry_api.engine.peers import Peers
from skerry_api.engine.registries import Registry
from skerry_api.engine.settings import EngineSettings
from skerry_api.engine.telemetry import Telemetry
from skerry_api.engine.traces import Traces
from skerry_api.storage import runs
from skerry_api.storage.assignments import Assignment
from skerry_api.storage.databases import Database
from skerry_api.storage.workflows import StoredTask
from skerry_api.storage.writers import Writer
from skerry_objects.names import pool_name

Row = Mapping[Any, Any]

# However many a parent or a request brings together, the last is not held up for longer than this many are.
MOST_PLACES = 10_000


@dataclass(frozen=True, slots=True)
class Trigger:
    """One request to execute a task; `input_json` is the arguments' JSON text, stored as it is."""

    task: str
    input: Any
    input_json: str
    run_id: str | None = None
    idempotency_key: str | None = None
    plan: str | None = None
    timeout_seconds: float | None = None
    retry: Retry | None = None
    priority: int = 0
    ready_at: datetime | None = None
    tags: Sequence[str] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    traceparent: str | None = None
    retried_from: str | None = None
    workflow: str | None = None


@dataclass(frozen=True, slots=True)
class Parent:
    """The live attempt a child is spawned by, its own name for the call, and how many of its children are not over."""

    assignment: Assignment
    call: str
    open_children: int = 0


@dataclass(frozen=True, slots=True)
class Submission:
    """An accepted request: its run, and whether this request made it."""

    run_id: str
    created: bool
    row: Row


class Submissions:
    """Accepts triggers."""

    def __init__(
        self,
        settings: EngineSettings,
        database: Database,
        writer: Writer,
        registry: Registry,
        dispatcher: Dispatcher,
        peers: Peers,
        telemetry: Telemetry,
        traces: Traces,
    ) -> None:
        """Check against `registry`, store through `writer`, hand to `dispatcher`."""
        self._settings = settings
        self._database = database
        self._writer = writer
        self._registry = registry
        self._dispatcher = dispatcher
        self._peers = peers
        self._telemetry = telemetry
        self._traces = traces

    async def submit(self, triggers: Sequence[Trigger], parents: Sequence[Parent] = ()) -> list[Submission]:
        """Store runs, all or none; `parents`, if given, has one for each trigger.

        Raises:
            InvalidRequest, NotFound, PayloadTooLarge: a trigger is refused; nothing was stored.
            Conflict: a parent's attempt is over, or it has too many children.
            Unavailable: Postgres is away.
        """
        rows: list[dict[str, Any]] = []
        slots: list[Slot | None] = []
        try:
            for position, trigger in enumerate(triggers):
                parent = parents[position] if parents else None
                row = await self._row(trigger, parent)
                row["place"] = min(position if parent is None else parent.open_children, MOST_PLACES)
                rows.append(row)
                slots.append(self._reserve(row))
            stored = await self._writer.submit(rows)
        except BaseException:
            for slot in slots:
                if slot is not None:
                    slot.uncertain = True
                    self._dispatcher.give_back(slot)
            raise
        submissions = []
        for position, (row, slot) in enumerate(zip(rows, slots, strict=True)):
            if row["id"] in stored:
                self._hand_over(row, slot)
                submissions.append(Submission(row["id"], True, row))
                continue
            if slot is not None:
                self._dispatcher.give_back(slot)
            existing = await self._existing(row, parents[position] if parents else None)
            submissions.append(Submission(existing["id"], False, existing))
        if any(slots):
            # User code first, then the answers: in a burst they take as long to write.
            await self._dispatcher.assigned()
        return submissions

    def _reserve(self, row: dict[str, Any]) -> Slot | None:
        """An idle runner for a run that is ready now, so that it need not pass through the queue."""
        if row["ready_at"] is not None:
            return None
        slot = self._dispatcher.reserve(row["pool"], row["workflow_id"], row["lane"])
        if slot is not None:
            place = {"runner_id": slot.runner_id, "pod_name": slot.pod_name, "node": slot.node, "adopts": slot.adopts}
            row.update(place)
        return slot

    def _hand_over(self, row: dict[str, Any], slot: Slot | None) -> None:
        self._telemetry.submitted(row["workflow"], row["task"])
        if slot is not None:
            self._dispatcher.hand_over(slot, _assignment(row, self._settings.limits.inline_bytes))
            return
        ready_at = row["ready_at"]
        delay = 0.0 if ready_at is None else (ready_at - row["created_at"]).total_seconds()
        self._dispatcher.queued(row["pool"], delay)

    async def _row(self, trigger: Trigger, parent: Parent | None) -> dict[str, Any]:
        workflow, stored = await self._resolve(trigger, parent)
        task, limits = stored.task, self._settings.limits
        check_arguments(task, trigger.input)
        size = len(trigger.input_json)
        if size > limits.argument_bytes // 4 and len(trigger.input_json.encode()) > limits.argument_bytes:
            raise PayloadTooLarge(
                f"the arguments of task {task.name!r} have {size:,} bytes of JSON; at most {limits.argument_bytes:,} are"
                " allowed. Put large data in object storage and pass its address"
            )
        retry = task.retry if trigger.retry is None else check_retry(trigger.retry)
        timeout = (
            task.timeout_seconds if trigger.timeout_seconds is None else check_timeout(trigger.timeout_seconds, limits)
        )
        plan = task.plan if trigger.plan is None else plan_named(trigger.plan).name
        run_id = trigger.run_id or ids.new_id(ids.RUN)
        row: dict[str, Any] = {
            "id": run_id,
            "workflow_id": workflow["id"],
            "version_id": stored.version_id,
            "task_id": stored.id,
            "workflow": workflow["slug"],
            "task": task.name,
            "status": RunStatus.PENDING.value,
            "root_run_id": run_id,
            "parent_run_id": None,
            "parent_attempt": None,
            "depth": 0,
            "call_key": None,
            "idempotency_key": trigger.idempotency_key,
            "retried_from": trigger.retried_from,
            "plan": plan,
            "priority": trigger.priority,
            "timeout_ms": int(timeout * 1000),
            "max_retries": retry.max_retries,
            "retry_wait_ms": retry.wait_duration_ms,
            "retry_factor": retry.factor,
            "tags": list(trigger.tags),
            "metadata": dict(trigger.metadata),
            "traceparent": trigger.traceparent or self._traces.root_context(run_id),
            "ready_at": trigger.ready_at,
            "created_at": datetime.now(UTC),
            "input": trigger.input_json,
            "token": ids.new_token(),
            "pool": _pool(workflow, stored.version_id, plan),
            "lane": "" if task.concurrency_limit is None else task.name,
            "runner_id": None,
            "pod_name": None,
            "node": None,
            "adopts": False,
            "start_ms": int(self._settings.start_seconds * 1000),
            "fan_out": limits.fan_out,
        }
        if parent is not None:
            row.update(self._lineage(parent))
        return row

    async def _resolve(self, trigger: Trigger, parent: Parent | None) -> tuple[Row, StoredTask]:
        if parent is None or "/" in trigger.task:
            return await self._registry.resolve(trigger.task, within=trigger.workflow)
        # A child runs the code its parent runs: the same version, whatever has been released since.
        assignment = parent.assignment
        tasks = await self._registry.tasks_of(assignment.version_id)
        stored = tasks.get(trigger.task)
        if stored is None:
            return await self._registry.resolve(f"{assignment.workflow}/{trigger.task}")
        isolation = "process" if assignment.pool == assignment.version_id else "container"
        return {"id": assignment.workflow_id, "slug": assignment.workflow, "isolation": isolation}, stored

    def _lineage(self, parent: Parent) -> dict[str, Any]:
        assignment = parent.assignment
        if assignment.depth + 1 > self._settings.limits.depth:
            raise InvalidRequest(
                f"runs are nested {assignment.depth + 1} deep; at most {self._settings.limits.depth} levels are allowed",
                code="too_deep",
            )
        return {
            "root_run_id": assignment.root,
            "parent_run_id": assignment.run,
            "parent_attempt": assignment.number - 1,
            "parent_attempt_id": assignment.attempt,
            "parent_token": assignment.token,
            "call_key": parent.call,
            "depth": assignment.depth + 1,
            "priority": assignment.priority,
            "traceparent": self._traces.attempt_context(assignment),
        }

    async def _existing(self, row: Row, parent: Parent | None) -> Row:
        async with self._database.transaction() as connection:
            found = None
            if parent is not None:
                found = await runs.fetch_child(connection, row["parent_run_id"], row["parent_attempt"], parent.call)
            elif row["idempotency_key"] is not None:
                found = await runs.fetch_run_by_key(connection, row["workflow_id"], row["idempotency_key"])
            else:
                found = await runs.fetch_run(connection, row["id"])
        if found is not None:
            return found
        if parent is not None:
            raise Conflict(
                f"run {row['parent_run_id']} cannot spawn {row['task']!r}: its attempt is over, or it has more than"
                f" {self._settings.limits.fan_out:,} children",
                code="parent_over",
            )
        raise Conflict("the run was removed while it was being triggered again; try once more", code="conflict")

    async def retry(self, run_id: str, workflow: str | None = None) -> Submission:
        """Start a failed or canceled run again, as a new run linked by `retried_from`.

        Raises:
            NotFound: there is no such run, or its input is no longer retained.
            Conflict: it is not over, or it succeeded.
        """
        async with self._database.transaction() as connection:
            run = await runs.fetch_run(connection, run_id)
            data = await runs.fetch_input(connection, run_id)
        if run is None or data is None or (workflow is not None and run["workflow"] != workflow):
            raise NotFound(f"there is no run {run_id!r}", code="run_not_found")
        status = RunStatus(run["status"])
        if status not in RUN_TERMINAL or status is RunStatus.SUCCEEDED:
            raise Conflict(
                f"run {run_id} is {status}; only a failed or canceled run can be retried", code="not_retryable"
            )
        trigger = Trigger(
            task=f"{run['workflow']}/{run['task']}",
            input=json.loads(data),
            input_json=data,
            plan=run["plan"],
            timeout_seconds=run["timeout_ms"] / 1000,
            retry=Retry(run["max_retries"], run["retry_wait_ms"], run["retry_factor"]),
            priority=run["priority"],
            tags=run["tags"],
            metadata=run["metadata"],
            retried_from=run_id,
        )
        return (await self.submit([trigger]))[0]


def _pool(workflow: Row, version_id: str, plan: str) -> str:
    """The pool whose runners take a run: of its version, and where each has a container of its own, of its plan."""
    return pool_name(version_id, plan) if workflow["isolation"] == "container" else version_id


def _assignment(row: Row, inline_bytes: int) -> Assignment:
    created = row["created_at"].timestamp()
    data: str = row["input"]
    return Assignment(
        attempt=ids.attempt_id(row["id"], 1),
        token=row["token"],
        number=1,
        runner_id=row["runner_id"],
        spawned=0,
        pool=row["pool"],
        run=row["id"],
        root=row["root_run_id"],
        parent=row["parent_run_id"],
        workflow_id=row["workflow_id"],
        version_id=row["version_id"],
        workflow=row["workflow"],
        task=row["task"],
        plan=row["plan"],
        priority=row["priority"],
        timeout_ms=row["timeout_ms"],
        max_retries=row["max_retries"],
        retry_wait_ms=row["retry_wait_ms"],
        retry_factor=row["retry_factor"],
        user_failures=0,
        infrastructure_failures=0,
        depth=row["depth"],
        traceparent=row["traceparent"],
        metadata=row["metadata"],
        created_at=created,
        queued_at=created,
        ready_at=created,
        started_at=None,
        status="starting",
        input=data if len(data) <= inline_bytes else None,
        pod_name=row["pod_name"],
        node=row["node"],
    )
