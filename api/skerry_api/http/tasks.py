"""Tasks as versions registered them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from skerry_api.domain.errors import NotFound
from skerry_api.http import failures, presentations, queries
from skerry_api.http.authorisations import Reader
from skerry_api.http.bare_routes import reply
from skerry_api.http.contexts import engine_of
from skerry_api.http.schemas.workflows import Task, TaskItem
from skerry_api.storage import catalogues

router = APIRouter(tags=["tasks"])


@router.get("/v1/tasks", response_model=list[TaskItem], responses=failures.READ)
async def list_tasks(
    request: Request,
    caller: Reader,
    limit: queries.Limit = queries.DEFAULT_LIMIT,
    cursor: queries.Cursor = None,
    workflow_id: Annotated[queries.Several, Query(alias="workflowId")] = None,
    workflow_slug: Annotated[queries.Several, Query(alias="workflowSlug")] = None,
    version_id: Annotated[queries.Several, Query(alias="workflowVersionId")] = None,
    task_slug: Annotated[queries.Several, Query(alias="taskSlug")] = None,
    owner_id: queries.Ignored = None,
) -> Response:
    """List the tasks of each workflow's newest ready version, or of the versions named."""
    async with engine_of(request).database.transaction() as connection:
        rows = await catalogues.fetch_task_page(
            connection,
            limit,
            cursor,
            workflow_ids=workflow_id,
            workflow_slugs=workflow_slug,
            version_ids=version_id,
            slugs=task_slug,
            slug=caller.workflow,
        )
    return reply([{"task": presentations.task(row), "cursor": row["id"]} for row in rows])


@router.get("/v1/tasks/{task_id}", response_model=Task, responses=failures.READ_ONE)
async def get_task(request: Request, task_id: str, caller: Reader) -> Response:
    """Read one task, of whichever version."""
    async with engine_of(request).database.transaction() as connection:
        rows = await catalogues.fetch_task_page(connection, 1, ids=[task_id], slug=caller.workflow)
    if not rows:
        raise NotFound(f"there is no task {task_id!r}", code="task_not_found")
    return reply(presentations.task(rows[0]))
