"""Logs: history by cursor or by time, and what there is to filter it by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from skerry_api.http import failures, presentations, queries, timestamps
from skerry_api.http.authorisations import Reader
from skerry_api.http.bare_routes import reply
from skerry_api.http.contexts import engine_of
from skerry_api.http.labels import LABELS, LabelName
from skerry_api.http.runs import check_visible
from skerry_api.http.schemas.logs import LogPage, LogValues, RunLogs
from skerry_api.http.schemas.shapes import EARLIEST, Moment
from skerry_api.storage import catalogues, logs
from skerry_api.storage.logs import LogFilter
from skerry_api.storage.runs import Row

DEFAULT_LINES = 100
DEFAULT_STRETCH = timedelta(hours=1)

_STREAMS = {"info": "stdout", "error": "stderr"}

Level = Literal["debug", "info", "warning", "error", "critical"]
Direction = Literal["backward", "forward"]

router = APIRouter(tags=["logs"])


def log_filter(found: Sequence[Row], *, descendants: bool) -> LogFilter:
    """The lines of some runs, or of them and everything they started."""
    since = min(run["created_at"] for run in found).astimezone(UTC).date()
    run_ids = [run["id"] for run in found]
    if not descendants:
        return LogFilter(run_ids=run_ids, since=since)
    if all(run["root_run_id"] == run["id"] for run in found):
        return LogFilter(root_run_ids=run_ids, since=since)
    return LogFilter(below_run_ids=run_ids, since=since)


@router.get("/v1/task-runs/{run_id}/logs", response_model=RunLogs, responses=failures.READ_ONE)
async def get_run_logs(
    request: Request,
    run_id: str,
    caller: Reader,
    limit: queries.Limit = DEFAULT_LINES,
    cursor: queries.LogCursor = None,
    descendants: Annotated[
        bool, Query(alias="includeDescendants", description="Also what the runs it started wrote.")
    ] = False,
) -> Response:
    """Read what a run wrote to stdout and stderr, in the order in which it arrived."""
    wanted = log_filter([await check_visible(request, run_id, caller)], descendants=descendants)
    async with engine_of(request).database.transaction() as connection:
        lines = await logs.fetch_lines(connection, wanted, int(cursor or 0), limit)
    last = str(lines[-1]["id"]) if lines else (cursor or "0")
    return reply({"logs": [presentations.log_line(line) for line in lines], "cursor": last})


@dataclass(frozen=True, slots=True)
class Search:
    """Which lines are asked for, from which stretch of time, and from which of its ends on."""

    wanted: LogFilter
    start: datetime
    end: datetime
    newest_first: bool


async def read_search(
    request: Request,
    caller: Reader,
    direction: Annotated[Direction, Query(description="Newest first, or oldest first.")] = "backward",
    start_time: Annotated[Moment | None, Query(alias="startTime")] = None,
    end_time: Annotated[Moment | None, Query(alias="endTime")] = None,
    resource: Annotated[queries.Several, Query(description="Workflows, by slug or id.")] = None,
    task: Annotated[queries.Several, Query(description="Tasks, by `workflow/task`, name or id.")] = None,
    task_run: Annotated[queries.Several, Query(alias="taskRun")] = None,
    level: Annotated[list[Level] | None, Query(description="stdout is `info`, stderr is `error`.")] = None,
    text: Annotated[queries.Several, Query(description="Lines that contain one of these, whatever the case.")] = None,
    owner_id: queries.Ignored = None,
) -> Search:
    """The search that a request describes, within what its caller may see."""
    end = end_time or datetime.now(UTC)
    start = start_time or (EARLIEST if task_run else end - DEFAULT_STRETCH)
    async with engine_of(request).database.autocommit() as connection:
        wanted = LogFilter(
            run_ids=task_run,
            workflows=resource and [*resource, *await catalogues.fetch_slugs(connection, resource)],
            workflow=caller.workflow,
            tasks=task and [*task, *await catalogues.fetch_addresses(connection, task)],
            streams=None if level is None else [_STREAMS[name] for name in level if name in _STREAMS],
            texts=text,
            # Lines are kept by the day they were stored; a runner's clock may be ahead of the database's.
            since=(start - timedelta(days=1)).date(),
        )
    return Search(wanted, start, end, direction == "backward")


Searched = Annotated[Search, Depends(read_search)]


@router.get("/v1/logs", response_model=LogPage, responses=failures.READ)
async def search_logs(request: Request, search: Searched, limit: queries.Limit = DEFAULT_LINES) -> Response:
    """Search log lines, in Render's shape.

    Without `startTime` it goes back an hour, or, for certain runs, to their beginning. Continue with `nextStartTime` and
    `nextEndTime`; lines of one millisecond are never split, so a page may have a few more than `limit`.
    """
    start, end, newest_first = search.start, search.end, search.newest_first
    async with engine_of(request).database.autocommit() as connection:
        lines = await logs.search_lines(connection, search.wanted, start, end, limit, newest_first=newest_first)
    last = lines[-1]["time"] if lines else None
    return reply(
        {
            "hasMore": len(lines) >= limit,
            "nextStartTime": timestamps.microseconds(start if newest_first or last is None else last),
            "nextEndTime": timestamps.microseconds(last if newest_first and last is not None else end),
            "logs": [presentations.log_line(line) for line in lines],
        }
    )


@router.get("/v1/logs/values", response_model=LogValues, responses=failures.READ)
async def list_log_values(
    request: Request,
    search: Searched,
    label: Annotated[LabelName, Query(description="The label whose values to list.")],
    limit: queries.Limit = DEFAULT_LINES,
) -> Response:
    """List the values that a label has in the lines that a search finds, in Render's shape.

    It takes the filters of `GET /v1/logs` and goes back as far. The value of the newest line is the first, or, with
    `direction=forward`, that of the oldest.
    """
    chosen = LABELS[label]
    async with engine_of(request).database.autocommit() as connection:
        rows = await logs.fetch_values(
            connection,
            chosen.columns,
            search.wanted,
            search.start,
            search.end,
            limit,
            newest_first=search.newest_first,
        )
    return reply(list(dict.fromkeys(chosen.value(row) for row in rows)))
