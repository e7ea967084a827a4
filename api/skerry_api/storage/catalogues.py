"""Workflows, versions and tasks as lists show them, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from skerry_api.storage import tables

Row = Mapping[Any, Any]

# The newest version of a workflow that is ready: the one new runs use.
_current = (
    select(tables.versions.c.id)
    .where(tables.versions.c.workflow_id == tables.workflows.c.id, tables.versions.c.status == "ready")
    .order_by(tables.versions.c.ready_at.desc(), tables.versions.c.id.desc())
    .limit(1)
    .correlate(tables.workflows)
    .scalar_subquery()
)


async def fetch_workflow_page(
    connection: AsyncConnection,
    limit: int,
    after: str | None = None,
    *,
    ids: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    slug: str | None = None,
) -> list[Row]:
    """Workflows with `latest_version_id`, oldest first; `names` are slugs or names, `slug` is the only one to show."""
    columns = tables.workflows.c
    named = None if names is None else columns.slug.in_(names) | columns.name.in_(names)
    statement = select(tables.workflows, _current.label("latest_version_id"))
    conditions = [
        _one_of(columns.id, ids),
        named,
        None if slug is None else columns.slug == slug,
        None if after is None else columns.id > after,
    ]
    return await _page(connection, statement.order_by(columns.id), conditions, limit)


async def fetch_version_page(
    connection: AsyncConnection,
    limit: int,
    before: str | None = None,
    *,
    ids: Sequence[str] | None = None,
    workflow_ids: Sequence[str] | None = None,
    slug: str | None = None,
) -> list[Row]:
    """Versions, newest first; `slug` is the only workflow to show."""
    columns = tables.versions.c
    statement = select(tables.versions).join(tables.workflows, tables.workflows.c.id == columns.workflow_id)
    conditions = [
        _one_of(columns.id, ids),
        _one_of(columns.workflow_id, workflow_ids),
        None if slug is None else tables.workflows.c.slug == slug,
        None if before is None else columns.id < before,
    ]
    return await _page(connection, statement.order_by(columns.id.desc()), conditions, limit)


async def fetch_task_page(
    connection: AsyncConnection,
    limit: int,
    after: str | None = None,
    *,
    ids: Sequence[str] | None = None,
    workflow_ids: Sequence[str] | None = None,
    workflow_slugs: Sequence[str] | None = None,
    version_ids: Sequence[str] | None = None,
    slugs: Sequence[str] | None = None,
    slug: str | None = None,
) -> list[Row]:
    """Tasks with the `workflow` they belong to, in the order in which they were registered.

    Without `ids` and `version_ids` only those of each workflow's current version; `slugs` are `workflow/task` or bare names,
    `slug` is the only workflow to show.
    """
    columns, workflow = tables.tasks.c, tables.workflows.c.slug
    address = workflow + "/" + columns.name
    named = None if slugs is None else address.in_(slugs) | columns.name.in_(slugs)
    statement = select(tables.tasks, workflow.label("workflow")).join(
        tables.workflows, tables.workflows.c.id == columns.workflow_id
    )
    conditions = [
        _one_of(columns.id, ids),
        _one_of(columns.workflow_id, workflow_ids),
        _one_of(workflow, workflow_slugs),
        _one_of(columns.version_id, version_ids) if ids or version_ids else columns.version_id == _current,
        named,
        None if slug is None else workflow == slug,
        None if after is None else columns.id > after,
    ]
    return await _page(connection, statement.order_by(columns.id), conditions, limit)


async def fetch_slugs(connection: AsyncConnection, workflow_ids: Sequence[str]) -> list[str]:
    """The slugs of workflows."""
    found = await connection.execute(select(tables.workflows.c.slug).where(tables.workflows.c.id.in_(workflow_ids)))
    return list(found.scalars())


async def fetch_addresses(connection: AsyncConnection, task_ids: Sequence[str]) -> list[str]:
    """The addresses (`workflow/task`) of tasks."""
    address = tables.workflows.c.slug + "/" + tables.tasks.c.name
    joined = select(address).join(tables.tasks, tables.tasks.c.workflow_id == tables.workflows.c.id)
    return list((await connection.execute(joined.where(tables.tasks.c.id.in_(task_ids)))).scalars())


def _one_of(column: ColumnElement[Any], values: Sequence[str] | None) -> ColumnElement[bool] | None:
    return None if not values else column.in_(values)


async def _page(
    connection: AsyncConnection,
    statement: Select[Any],
    conditions: Sequence[ColumnElement[bool] | None],
    limit: int,
) -> list[Row]:
    wanted = statement.where(*(condition for condition in conditions if condition is not None)).limit(limit)
    return list((await connection.execute(wanted)).mappings())
