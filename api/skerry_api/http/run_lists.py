"""Runs, many at once: lists, trees, and the events of their ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from skerry_api.domain.errors import Unavailable
from skerry_api.domain.states import RunStatus
from skerry_api.engine.engines import Engine
from skerry_api.http import failures, presentations, queries
from skerry_api.http.authorisations import Caller, Reader
from skerry_api.http.bare_routes import reply
from skerry_api.http.contexts import engine_of, streams_of
from skerry_api.http.runs import check_visible
from skerry_api.http.schemas.runs import RunTreeRoot, TaskRunItem
from skerry_api.http.schemas.shapes import Moment
from skerry_api.http.streams import SILENT_SECONDS, EventStream, ascii_line, event
from skerry_api.storage import runs
from skerry_api.storage.details import run_not_found
from skerry_api.storage.runs import Row, RunFilter

TREE_RUNS = 10_000
EVENT_RUNS = 1000
# How long a stream outlasts an absence of Postgres.
OUTAGE_SECONDS = 60
RunIds = Annotated[str, Field(pattern=r"^[A-Za-z0-9,-]*[A-Za-z0-9-]$", description="One or several, with commas.")]

router = APIRouter(tags=["runs"])
# Apart, because it must be tried before `/v1/task-runs/{run_id}`.
events = APIRouter(tags=["runs"])


@router.get("/v1/task-runs", response_model=list[TaskRunItem], responses=failures.READ)
async def list_runs(
    request: Request,
    caller: Reader,
    limit: queries.Limit = queries.DEFAULT_LIMIT,
    cursor: queries.Cursor = None,
    status: Annotated[list[RunStatus] | None, Query(description="May be repeated: any of them.")] = None,
    task: Annotated[queries.Several, Query(description="`workflow/task` or a bare name, all of one workflow.")] = None,
    task_slug: Annotated[queries.Several, Query(alias="taskSlug", description="The same, as Render calls it.")] = None,
    workflow: Annotated[str | None, Query(description="A workflow's slug.")] = None,
    workflow_id: Annotated[queries.Several, Query(alias="workflowId")] = None,
    version_id: Annotated[queries.Several, Query(alias="workflowVersionId")] = None,
    root_run_id: Annotated[queries.Several, Query(alias="rootTaskRunId")] = None,
    tag: Annotated[queries.Several, Query(description="May be repeated: runs that have all of them.")] = None,
    created_after: Annotated[Moment | None, Query(alias="createdAfter")] = None,
    created_before: Annotated[Moment | None, Query(alias="createdBefore")] = None,
    owner_id: queries.Ignored = None,
) -> Response:
    """List runs, newest first."""
    slug, names, task_ids = _task_filter([*(task or ()), *(task_slug or ())], workflow)
    if caller.workflow is not None and slug not in (None, caller.workflow):
        return reply([])
    wanted = RunFilter(
        statuses=status,
        tasks=names or None,
        task_ids=task_ids or None,
        workflow=caller.workflow or slug,
        workflow_ids=workflow_id,
        version_ids=version_id,
        root_run_ids=root_run_id,
        tags=tag,
        created_after=created_after,
        created_before=created_before,
    )
    async with engine_of(request).database.transaction() as connection:
        found = await runs.fetch_runs(connection, wanted, limit, cursor)
        attempts = await runs.fetch_attempts(connection, [run["id"] for run in found])
    return reply(
        [{"taskRun": presentations.task_run(run, attempts.get(run["id"], ())), "cursor": run["id"]} for run in found]
    )


def _task_filter(tasks: Sequence[str], workflow: str | None) -> tuple[str | None, list[str], list[str]]:
    """The one workflow that is asked for, tasks' names, and tasks' ids."""
    task_ids = [task for task in tasks if task.startswith("tsk-") and "/" not in task]
    slugs, names = {workflow} - {None}, []
    for task in tasks:
        if task not in task_ids:
            slug, _, name = task.rpartition("/")
            names.append(name)
            slugs |= {slug} - {""}
    if len(slugs) > 1:
        raise queries.wrong_value("task", "name tasks of one workflow at a time")
    return next(iter(slugs), None), names, task_ids


@router.get("/v1/task-runs/{run_id}/tree", response_model=RunTreeRoot, responses=failures.READ_ONE)
async def get_tree(request: Request, run_id: str, caller: Reader) -> Response:
    """Read a run and everything it started, with timings: what a Gantt chart needs. At most 10,000 runs."""
    run = await check_visible(request, run_id, caller)
    async with engine_of(request).database.transaction() as connection:
        family = await runs.fetch_tree(connection, run["root_run_id"], TREE_RUNS + 1)
        shown = family[:TREE_RUNS]
        if all(row["id"] != run_id for row in shown):
            shown.append(run)
        attempts = await runs.fetch_attempts(connection, [row["id"] for row in shown])
    return reply({**tree(run_id, shown, attempts), "truncated": len(family) > TREE_RUNS})


def tree(run_id: str, family: Sequence[Row], attempts: dict[str, list[Row]]) -> dict[str, Any]:
    """One run of a family with its descendants beneath it, each level oldest first."""
    nodes: dict[str, dict[str, Any]] = {
        row["id"]: {"run": presentations.task_run(row, attempts.get(row["id"], ())), "children": []} for row in family
    }
    for row in family:
        parent = nodes.get(row["parent_run_id"])
        if parent is not None:
            parent["children"].append(nodes[row["id"]])
    return nodes[run_id]


@events.get(
    "/v1/task-runs/events",
    response_class=Response,
    responses={
        200: {
            "description": "An event `task.completed` for each run as it ends, whatever its end; its data is the run with its"
            " result. Runs that are over already come at once. The stream ends when all are over.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **failures.READ_ONE,
    },
)
async def follow_runs(
    request: Request,
    caller: Reader,
    task_run_ids: Annotated[list[RunIds], Query(alias="taskRunIds", min_length=1, max_length=EVENT_RUNS)],
) -> Response:
    """Follow the ends of runs, as server-sent events."""
    run_ids = list(dict.fromkeys(run_id for part in task_run_ids for run_id in part.split(",") if run_id))
    if not 1 <= len(run_ids) <= EVENT_RUNS:
        raise queries.wrong_value("taskRunIds", f"must name 1 to {EVENT_RUNS:,} runs")
    engine = engine_of(request)
    await _check_all_visible(engine, run_ids, caller)
    return EventStream(streams_of(request), _ends(engine, run_ids))


async def _check_all_visible(engine: Engine, run_ids: Sequence[str], caller: Caller) -> None:
    async with engine.database.transaction() as connection:
        workflows = await runs.fetch_workflows_of(connection, run_ids)
    for run_id in run_ids:
        if run_id not in workflows or not caller.sees(workflows[run_id]):
            raise run_not_found(run_id)


async def _ends(engine: Engine, run_ids: Sequence[str]) -> AsyncGenerator[bytes]:
    with engine.expect(run_ids) as ends:
        with suppress(Unavailable):  # Then the engine's own poll announces those that are over already.
            await engine.ends.catch_up(run_ids)
        async for run_id in ends.all(SILENT_SECONDS):
            yield _event(*await _details(engine, run_id))


async def _details(engine: Engine, run_id: str) -> tuple[Row, list[Row]]:
    for _ in range(OUTAGE_SECONDS):
        try:
            return await engine.details.fetch(run_id)
        except Unavailable:
            await asyncio.sleep(1)
    return await engine.details.fetch(run_id)


def _event(run: Row, attempts: Sequence[Row]) -> bytes:
    data = orjson.dumps(presentations.task_run_details(run, attempts))
    return event("task.completed", ascii_line(data), run["id"])
