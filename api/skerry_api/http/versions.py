"""Versions: list, read, and release. A local server makes them itself, from its application."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from skerry_api.domain.errors import NotFound
from skerry_api.http import failures, presentations, queries
from skerry_api.http.authorisations import Admin, Reader
from skerry_api.http.bare_routes import reply
from skerry_api.http.contexts import engine_of, releaser_of
from skerry_api.http.schemas.workflows import Version, VersionItem, VersionRequest
from skerry_api.storage import catalogues

router = APIRouter(tags=["versions"])


@router.get("/v1/workflowversions", response_model=list[VersionItem], responses=failures.READ)
async def list_versions(
    request: Request,
    caller: Reader,
    limit: queries.Limit = queries.DEFAULT_LIMIT,
    cursor: queries.Cursor = None,
    workflow_id: Annotated[queries.Several, Query(alias="workflowId")] = None,
    render_workflow_id: Annotated[queries.Several, Query(alias="workflowID")] = None,
    version_id: Annotated[queries.Several, Query(alias="workflowVersionId")] = None,
    owner_id: queries.Ignored = None,
) -> Response:
    """List versions, newest first."""
    async with engine_of(request).database.transaction() as connection:
        rows = await catalogues.fetch_version_page(
            connection,
            limit,
            cursor,
            ids=version_id,
            workflow_ids=[*(workflow_id or ()), *(render_workflow_id or ())],
            slug=caller.workflow,
        )
    return reply([{"workflowVersion": presentations.version(row), "cursor": row["id"]} for row in rows])


@router.get("/v1/workflowversions/{version_id}", response_model=Version, responses=failures.READ_ONE)
async def get_version(request: Request, version_id: str, caller: Reader) -> Response:
    """Read one version."""
    async with engine_of(request).database.transaction() as connection:
        rows = await catalogues.fetch_version_page(connection, 1, ids=[version_id], slug=caller.workflow)
    if not rows:
        raise NotFound(f"there is no version {version_id!r}", code="version_not_found")
    return reply(presentations.version(rows[0]))


@router.post("/v1/workflowversions", status_code=202, response_model=Version, responses=failures.WRITE)
async def create_version(request: Request, body: VersionRequest, caller: Admin) -> Response:
    """Release an image as a new version of a workflow; a server on Kubernetes starts it to learn its tasks."""
    releaser = releaser_of(request)
    if body.image is None:
        raise queries.wrong_value("image", "is missing: a version is released from an image", "body")
    async with engine_of(request).database.transaction() as connection:
        found = await catalogues.fetch_workflow_page(connection, 1, ids=[body.workflow_id], slug=caller.workflow)
    if not found:
        raise NotFound(f"there is no workflow {body.workflow_id!r}", code="workflow_not_found")
    version_id = await releaser.release(found[0]["slug"], body.source())
    async with engine_of(request).database.transaction() as connection:
        rows = await catalogues.fetch_version_page(connection, 1, ids=[version_id])
    return reply(presentations.version(rows[0]), 202)
