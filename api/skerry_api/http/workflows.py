"""Workflows: list, make, read, change, remove."""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from skerry_api.domain.errors import Conflict, NotFound, SkerryError
from skerry_api.domain.tasks import SLUG
from skerry_api.http import failures, presentations, queries
from skerry_api.http.authorisations import Admin, Caller, Reader, UnlimitedAdmin
from skerry_api.http.bare_routes import reply
from skerry_api.http.contexts import engine_of, find_releaser, releaser_of
from skerry_api.http.schemas.workflows import Workflow, WorkflowChange, WorkflowItem, WorkflowRequest
from skerry_api.storage import catalogues
from skerry_api.storage.catalogues import Row

router = APIRouter(tags=["workflows"])


@router.get("/v1/workflows", response_model=list[WorkflowItem], responses=failures.READ)
async def list_workflows(
    request: Request,
    caller: Reader,
    limit: queries.Limit = queries.DEFAULT_LIMIT,
    cursor: queries.Cursor = None,
    name: queries.Several = None,
    workflow_id: Annotated[queries.Several, Query(alias="workflowID")] = None,
    owner_id: queries.Ignored = None,
) -> Response:
    """List workflows, oldest first. `name` matches names and slugs."""
    async with engine_of(request).database.transaction() as connection:
        rows = await catalogues.fetch_workflow_page(
            connection, limit, cursor, ids=workflow_id, names=name, slug=caller.workflow
        )
    return reply([{"workflow": presentations.workflow(row), "cursor": row["id"]} for row in rows])


@router.post("/v1/workflows", status_code=201, response_model=Workflow, responses=failures.WRITE)
async def create_workflow(request: Request, body: WorkflowRequest, caller: UnlimitedAdmin) -> Response:
    """Make a workflow. With an `image`, which needs a server on Kubernetes, its first version begins to register too."""
    engine, releaser = engine_of(request), releaser_of(request) if body.image else None
    slug = body.slug or _slug_for(body.name)
    async with engine.database.transaction() as connection:
        if await catalogues.fetch_workflow_page(connection, 1, slug=slug):
            raise Conflict(f"there is a workflow {slug!r} already", code="workflow_exists")
    row = await engine.registry.create_workflow(
        slug, body.name, body.isolation, body.concurrency_limit, body.retention_days
    )
    if releaser is not None:
        try:
            await releaser.release(slug, body.source())
        except SkerryError:
            await engine.registry.delete_workflow(row["id"])
            raise
    return reply(presentations.workflow({**row, "latest_version_id": None}), 201)


@router.get("/v1/workflows/{workflow_id}", response_model=Workflow, responses=failures.READ_ONE)
async def get_workflow(request: Request, workflow_id: str, caller: Reader) -> Response:
    """Read one workflow."""
    return reply(presentations.workflow(await _find(request, workflow_id, caller)))


@router.patch("/v1/workflows/{workflow_id}", response_model=Workflow, responses=failures.WRITE_ONE)
async def update_workflow(request: Request, workflow_id: str, body: WorkflowChange, caller: Admin) -> Response:
    """Change a workflow's settings; what is left out stays."""
    found = await _find(request, workflow_id, caller)
    values: dict[str, Any] = body.model_dump(exclude_unset=True)
    row = await engine_of(request).registry.update_workflow(workflow_id, values) if values else found
    return reply(presentations.workflow({**row, "latest_version_id": found["latest_version_id"]}))


@router.delete("/v1/workflows/{workflow_id}", status_code=204, responses=failures.CHANGE)
async def delete_workflow(request: Request, workflow_id: str, caller: Admin) -> Response:
    """Remove a workflow whose runs are all over, with its versions and tasks; its runs stay until their retention ends."""
    found = await _find(request, workflow_id, caller)
    releaser = find_releaser(request)
    withdraw = partial(releaser.withdraw, found["slug"]) if releaser is not None else None
    await engine_of(request).registry.delete_workflow(workflow_id, withdraw)
    return Response(status_code=204)


async def _find(request: Request, workflow_id: str, caller: Caller) -> Row:
    async with engine_of(request).database.transaction() as connection:
        rows = await catalogues.fetch_workflow_page(connection, 1, ids=[workflow_id], slug=caller.workflow)
    if not rows:
        raise NotFound(f"there is no workflow {workflow_id!r}", code="workflow_not_found")
    return rows[0]


def _slug_for(name: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].strip("-")
    if not SLUG.match(slug):
        raise queries.wrong_value("slug", f"cannot be made from the name {name!r}; give one", "body")
    return slug
