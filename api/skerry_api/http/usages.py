"""Usage per task, and numbers of runs over time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from skerry_api.http import failures, presentations, queries, timestamps
from skerry_api.http.authorisations import Reader
from skerry_api.http.bare_routes import reply
from skerry_api.http.contexts import engine_of
from skerry_api.http.schemas.shapes import EARLIEST, Moment
from skerry_api.http.schemas.usages import Series, UsageReport
from skerry_api.storage import catalogues, usages, warm_usages
from skerry_api.storage.usages import Row

USAGE_STRETCH = timedelta(days=30)
METRICS_STRETCH = timedelta(hours=1)
MAX_POINTS = 1500

StartTime = Annotated[Moment | None, Query(alias="startTime", description="Default: an hour before the end.")]
EndTime = Annotated[Moment | None, Query(alias="endTime", description="Default: now.")]
Resolution = Annotated[
    int,
    Query(
        alias="resolutionSeconds", ge=1, le=86_400, description="Made longer where there would be over 1,500 points."
    ),
]
Resource = Annotated[queries.Several, Query(description="Tasks, by `workflow/task` or id.")]

router = APIRouter(tags=["usage"])


@router.get("/v1/usage", response_model=UsageReport, responses=failures.READ)
async def get_usage(
    request: Request,
    caller: Reader,
    start: Annotated[Moment | None, Query(description="Default: 30 days before the end.")] = None,
    end: Annotated[Moment | None, Query(description="Default: now.")] = None,
    workflow: Annotated[queries.Several, Query(description="Workflows, by slug.")] = None,
) -> Response:
    """Read what the attempts that ended in a stretch of time have used, by task and plan.

    `warm` is for how long Pods waited for work on Kubernetes, by workflow and plan. That is counted by whole hours: all that
    overlap with the stretch are in it. It is up to a minute behind.
    """
    until = end or datetime.now(UTC)
    since = start or until - USAGE_STRETCH
    wanted = (
        workflow if caller.workflow is None else [slug for slug in workflow or [caller.workflow] if caller.sees(slug)]
    )
    async with engine_of(request).database.autocommit() as connection:
        rows = await usages.fetch_usage(connection, since, until, wanted)
        warm = await warm_usages.fetch_warm_usages(connection, since, until, wanted)
    return reply(
        {
            "start": timestamps.milliseconds(since),
            "end": timestamps.milliseconds(until),
            "usage": [presentations.usage(row) for row in rows],
            "warm": [presentations.warm_usage(row) for row in warm],
        }
    )


@router.get("/v1/metrics/task-runs-completed", response_model=list[Series], responses=failures.READ)
async def get_completed(
    request: Request,
    caller: Reader,
    resource: Resource = None,
    state: Annotated[list[Literal["succeeded", "failed", "canceled"]] | None, Query()] = None,
    aggregate_by: Annotated[Literal["state"] | None, Query(alias="aggregateBy")] = None,
    resolution: Resolution = 60,
    start_time: StartTime = None,
    end_time: EndTime = None,
    owner_id: queries.Ignored = None,
) -> Response:
    """Read how many runs ended, in Render's shape: one series for each task, and with `aggregateBy` for each state."""
    start, end, step = _stretch(start_time, end_time, resolution)
    async with engine_of(request).database.autocommit() as connection:
        tasks = resource and [*resource, *await catalogues.fetch_addresses(connection, resource)]
        rows = await usages.fetch_completed_series(connection, start, end, step, tasks, caller.workflow)
    chosen = [row for row in rows if state is None or row["status"] in state]
    return reply(_series(chosen, by_state=aggregate_by is not None))


@router.get("/v1/metrics/task-runs-queued", response_model=list[Series], responses=failures.READ)
async def get_queued(
    request: Request,
    caller: Reader,
    resource: Resource = None,
    resolution: Resolution = 60,
    start_time: StartTime = None,
    end_time: EndTime = None,
    owner_id: queries.Ignored = None,
) -> Response:
    """Read how many runs waited for their start at each moment, in Render's shape: one series for each task."""
    start, end, step = _stretch(start_time, end_time, resolution)
    async with engine_of(request).database.autocommit() as connection:
        tasks = resource and [*resource, *await catalogues.fetch_addresses(connection, resource)]
        rows = await usages.fetch_queued_series(connection, start, end, step, tasks, caller.workflow)
    return reply(_series(rows, by_state=False))


def _stretch(start_time: datetime | None, end_time: datetime | None, resolution: int) -> tuple[datetime, datetime, int]:
    """From when until when to count, and in steps of how many seconds: longer ones if there were too many."""
    end = end_time or datetime.now(UTC)
    start = start_time or end - METRICS_STRETCH
    step = max(resolution, math.ceil((end - start).total_seconds() / MAX_POINTS))
    # Whole multiples of the step, so that two requests count into the same stretches.
    since_earliest = (start - EARLIEST) // timedelta(seconds=step) * timedelta(seconds=step)
    return EARLIEST + since_earliest, end, step


def _series(rows: Iterable[Row], *, by_state: bool) -> list[dict[str, Any]]:
    series: dict[tuple[str, ...], dict[datetime, int]] = {}
    for row in rows:
        key = (f"{row['workflow']}/{row['task']}", *((row["status"],) if by_state else ()))
        values = series.setdefault(key, {})
        values[row["moment"]] = values.get(row["moment"], 0) + row["count"]
    return [_one_series(key, values) for key, values in sorted(series.items())]


def _one_series(key: Sequence[str], values: dict[datetime, int]) -> dict[str, Any]:
    return {
        "labels": [{"field": field, "value": value} for field, value in zip(("resource", "state"), key, strict=False)],
        "values": [{"timestamp": timestamps.milliseconds(moment), "value": count} for moment, count in values.items()],
        "unit": "runs",
    }
