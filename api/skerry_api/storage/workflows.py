"""Workflows, their versions and tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import LABEL_STYLE_TABLENAME_PLUS_COL, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from skerry_api.domain.retries import Retry
from skerry_api.domain.states import ATTEMPT_OPEN
from skerry_api.domain.tasks import Parameter, Task
from skerry_api.storage import tables

Row = Mapping[Any, Any]


@dataclass(frozen=True, slots=True)
class StoredTask:
    """A task of a version, with its id and those of what it belongs to."""

    id: str
    workflow_id: str
    version_id: str
    task: Task


async def fetch_workflow(connection: AsyncConnection, *, slug: str | None = None, id: str | None = None) -> Row | None:
    """The workflow with this slug or id."""
    column, value = (tables.workflows.c.slug, slug) if slug is not None else (tables.workflows.c.id, id)
    found = await connection.execute(select(tables.workflows).where(column == value))
    return found.mappings().first()


async def fetch_workflows(connection: AsyncConnection) -> list[Row]:
    """Every workflow, by slug."""
    return list((await connection.execute(select(tables.workflows).order_by(tables.workflows.c.slug))).mappings())


async def has_open_runs(connection: AsyncConnection, workflow_id: str) -> bool:
    """Whether runs of a workflow are not over."""
    open_runs = select(tables.attempts.c.id).where(
        tables.attempts.c.workflow_id == workflow_id, tables.attempts.c.status.in_(ATTEMPT_OPEN)
    )
    return (await connection.execute(open_runs.limit(1))).first() is not None


async def insert_workflow(connection: AsyncConnection, values: Row) -> Row:
    """Store a workflow, or give back the one that has its slug already."""
    statement = (
        upsert(tables.workflows)
        .values(**values)
        .on_conflict_do_update(index_elements=["slug"], set_={"slug": values["slug"]})
        .returning(tables.workflows)
    )
    row: Row = (await connection.execute(statement)).mappings().one()
    return row


async def update_workflow(connection: AsyncConnection, workflow_id: str, values: Row) -> Row | None:
    """Change a workflow's settings; None when there is none."""
    statement = (
        update(tables.workflows)
        .where(tables.workflows.c.id == workflow_id)
        .values(**values, updated_at=func.now())
        .returning(tables.workflows)
    )
    row: Row | None = (await connection.execute(statement)).mappings().first()
    return row


async def delete_workflow(connection: AsyncConnection, workflow_id: str) -> bool:
    """Remove a workflow with its versions and tasks; its runs stay until retention takes them."""
    done = await connection.execute(delete(tables.workflows).where(tables.workflows.c.id == workflow_id))
    return bool(done.rowcount)


async def insert_version(connection: AsyncConnection, values: Row) -> str:
    """Store a version, unless the workflow has one of this name; answers the id of the one it has."""
    statement = (
        upsert(tables.versions)
        .values(**values)
        .on_conflict_do_update(index_elements=["workflow_id", "name"], set_={"name": values["name"]})
        .returning(tables.versions.c.id)
    )
    version_id: str = (await connection.execute(statement)).scalar_one()
    return version_id


async def finish_version(connection: AsyncConnection, version_id: str, error: str | None) -> bool:
    """A version's registration ended: ready, or failed with `error`; False when it had ended already."""
    status = "ready" if error is None else "registration_failed"
    values: dict[str, Any] = {"status": status, "error": error, "waiting": None}
    if error is None:
        values["ready_at"] = func.now()
    registering = (tables.versions.c.id == version_id, tables.versions.c.status == "registering")
    done = await connection.execute(update(tables.versions).where(*registering).values(**values))
    return bool(done.rowcount)


async def readmit_version(connection: AsyncConnection, version_id: str) -> bool:
    """Have a version that failed register again, and one that another has replaced be the newest; whether that changed it."""
    done = await connection.execute(text(_READMIT), {"version": version_id})
    return bool(done.rowcount)


_READMIT = """
UPDATE versions v
SET status = CASE status WHEN 'ready' THEN 'ready' ELSE 'registering' END, error = NULL,
    ready_at = CASE status WHEN 'ready' THEN now() END
WHERE id = :version AND (status = 'registration_failed' OR status = 'ready' AND EXISTS (
    SELECT 1 FROM versions o
    WHERE o.workflow_id = v.workflow_id AND o.status = 'ready' AND (o.ready_at, o.id) > (v.ready_at, v.id)))
"""


async def note_waiting(connection: AsyncConnection, version_id: str, waiting: Row | None) -> None:
    """Record what the registration of a version waits for, as `reason` and `message`; None when for nothing special."""
    registering = (tables.versions.c.id == version_id, tables.versions.c.status == "registering")
    await connection.execute(update(tables.versions).where(*registering).values(waiting=waiting))


async def insert_tasks(connection: AsyncConnection, stored: Sequence[StoredTask]) -> None:
    """Store the tasks of a version."""
    if stored:
        await connection.execute(insert(tables.tasks), [_task_values(entry) for entry in stored])


async def fetch_current_tasks(connection: AsyncConnection) -> list[tuple[Row, StoredTask]]:
    """Every task of the newest ready version of each workflow, with its workflow."""
    newest = (
        select(tables.versions.c.workflow_id, tables.versions.c.id)
        .where(tables.versions.c.status == "ready")
        .ext(distinct_on(tables.versions.c.workflow_id))
        .order_by(tables.versions.c.workflow_id, tables.versions.c.ready_at.desc(), tables.versions.c.id.desc())
        .subquery()
    )
    found = await connection.execute(
        select(tables.workflows, tables.tasks)
        .join(newest, newest.c.workflow_id == tables.workflows.c.id)
        .join(tables.tasks, tables.tasks.c.version_id == newest.c.id)
        .set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)
    )
    return [(_part(row, "workflows"), task_from(_part(row, "tasks"))) for row in found.mappings()]


async def fetch_tasks(
    connection: AsyncConnection, *, version_id: str | None = None, task_id: str | None = None
) -> list[StoredTask]:
    """The tasks of a version, or the one with an id."""
    statement = select(tables.tasks).order_by(tables.tasks.c.name)
    if version_id is not None:
        statement = statement.where(tables.tasks.c.version_id == version_id)
    if task_id is not None:
        statement = statement.where(tables.tasks.c.id == task_id)
    return [task_from(row) for row in (await connection.execute(statement)).mappings()]


async def fetch_version(
    connection: AsyncConnection,
    version_id: str | None = None,
    *,
    workflow_id: str | None = None,
    name: str | None = None,
) -> Row | None:
    """A version by its id, or by its workflow and name."""
    statement = select(tables.versions)
    if version_id is not None:
        statement = statement.where(tables.versions.c.id == version_id)
    if workflow_id is not None:
        statement = statement.where(tables.versions.c.workflow_id == workflow_id, tables.versions.c.name == name)
    return (await connection.execute(statement)).mappings().first()


async def fetch_versions_by_id(connection: AsyncConnection, version_ids: Sequence[str]) -> dict[str, Row]:
    """Those of these versions that there are."""
    statement = select(tables.versions).where(tables.versions.c.id.in_(version_ids))
    return {row["id"]: row for row in (await connection.execute(statement)).mappings()}


def task_from(row: Row) -> StoredTask:
    """A stored task from its row."""
    retry = row["retry"]
    parameters = row["parameters"]
    task = Task(
        row["name"],
        Retry(retry["max_retries"], retry["wait_duration_ms"], retry["factor"]),
        row["timeout_ms"] / 1000,
        row["plan"],
        None if parameters is None else tuple(Parameter(**entry) for entry in parameters),
        row["input_schema"],
        row["description"],
        row["concurrency_limit"],
    )
    return StoredTask(row["id"], row["workflow_id"], row["version_id"], task)


def _task_values(stored: StoredTask) -> dict[str, Any]:
    task = stored.task
    return {
        "id": stored.id,
        "workflow_id": stored.workflow_id,
        "version_id": stored.version_id,
        "name": task.name,
        "retry": {
            "max_retries": task.retry.max_retries,
            "wait_duration_ms": task.retry.wait_duration_ms,
            "factor": task.retry.factor,
        },
        "timeout_ms": int(task.timeout_seconds * 1000),
        "plan": task.plan,
        "parameters": None if task.parameters is None else [_parameter_values(entry) for entry in task.parameters],
        "input_schema": task.input_schema,
        "description": task.description,
        "concurrency_limit": task.concurrency_limit,
    }


def _parameter_values(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "type": parameter.type,
        "has_default": parameter.has_default,
        "default_value": parameter.default_value,
    }


def _part(row: Row, table: str) -> dict[str, Any]:
    prefix = f"{table}_"
    columns = tables.metadata.tables[table].columns.keys()
    return {name: row[prefix + name] for name in columns}
