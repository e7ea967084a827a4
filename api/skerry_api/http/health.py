"""Liveness, readiness, Prometheus: for machines, without a key."""

from __future__ import annotations

import asyncio
from functools import cache

import structlog
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from skerry_api.domain.errors import Unavailable
from skerry_api.http import failures
from skerry_api.http.bare_routes import reply
from skerry_api.http.contexts import engine_of
from skerry_api.http.schemas.health import Health
from skerry_api.storage import schemas

DEADLINE_SECONDS = 5.0

log = structlog.get_logger(__name__)
router = APIRouter(tags=["health"])


@router.get("/healthz", response_model=Health)
async def live(request: Request) -> Response:
    """Whether this process answers at all."""
    return reply({"status": "ok"})


@router.get("/readyz", response_model=Health, responses=failures.documented(503))
async def ready(request: Request) -> Response:
    """Whether requests can be served: Postgres answers and every migration is applied."""
    try:
        async with asyncio.timeout(DEADLINE_SECONDS), engine_of(request).database.transaction() as connection:
            revision = await schemas.current_revision(connection)
    except TimeoutError as error:
        raise Unavailable(f"the database did not answer within {DEADLINE_SECONDS:g} s") from error
    if _is_behind(revision):
        raise Unavailable(
            f"the database is at migration {revision or 'none'}, this release needs {schemas.head_revision()};"
            " run 'skerry-api migrate'",
            code="migrations_missing",
        )
    return reply({"status": "ok"})


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"description": "Prometheus text format.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    },
)
async def metrics(request: Request) -> Response:
    """What this process counts, for Prometheus."""
    telemetry = engine_of(request).telemetry
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await telemetry.refresh()
    except (Unavailable, TimeoutError) as error:
        # What this process counts matters most just then; only the gauges read from Postgres are old.
        log.warning("metrics_not_refreshed", error=str(error))
    return Response(generate_latest(telemetry.registry), media_type=CONTENT_TYPE_LATEST)


# Reading the migrations takes a hundred times as long as the answer.
_is_behind = cache(schemas.is_behind)
