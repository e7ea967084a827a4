"""Runs: trigger, read, cancel, retry. The first two are the hot path."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from skerry_api.domain.states import RUN_TERMINAL
from skerry_api.engine.ends import Expectation
from skerry_api.engine.engines import Engine
from skerry_api.engine.submissions import Submission, Trigger
from skerry_api.engine.traces import TRACEPARENT
from skerry_api.http import failures, presentations, queries
from skerry_api.http.authorisations import ANYONE, Caller, Operator, Scope, authorise
from skerry_api.http.bare_routes import BareRoute, reply
from skerry_api.http.contexts import engine_of, streams_of
from skerry_api.http.schemas.runs import RunBatch, RunRequest, TaskRun, TaskRunBatch, TaskRunDetails
from skerry_api.storage import runs
from skerry_api.storage.details import run_not_found
from skerry_api.storage.runs import Row

Details = tuple[Row, list[Row]]
WaitSeconds = Annotated[
    float,
    Query(ge=0, le=60, allow_inf_nan=False, description="Answer when the run is over, or after this many seconds."),
]

MAX_DELAY = timedelta(days=365)

hot = APIRouter(route_class=BareRoute, tags=["runs"])
router = APIRouter(tags=["runs"])


@hot.post(
    "/v1/task-runs",
    status_code=202,
    response_model=TaskRun,
    responses={
        **failures.TRIGGER,
        200: {"model": TaskRunDetails, "description": "With `?wait=`: the run is over."},
        202: {"description": "The run is stored and will be executed, whatever happens to this server."},
    },
)
async def start_run(request: Request, body: RunRequest, wait: WaitSeconds = 0.0) -> Response:
    """Execute a task.

    The reply comes as soon as the run is stored. A repeated `idempotencyKey` answers the run of the first request.
    """
    caller = await authorise(request, Scope.TRIGGER)
    engine = engine_of(request)
    run_id = engine.new_run_id()
    trigger = trigger_for(body, caller, request.headers.get("traceparent"), run_id)
    if not wait:
        return reply(await _accepted(engine, await engine.submit(trigger)), 202)
    # Expected before it is submitted, so that no end is missed.
    with engine.expect([run_id]) as ends:
        submission = await engine.submit(trigger)
        if submission.created:
            run, attempts = await _ended(request, run_id, ends, wait)
        else:
            run, attempts = await _details(request, submission.run_id, wait)
    if run["status"] in RUN_TERMINAL:
        return reply(presentations.task_run_details(run, attempts))
    return reply(presentations.task_run(run, attempts), 202)


async def _accepted(engine: Engine, submission: Submission) -> dict[str, Any]:
    if submission.created:
        return presentations.created_task_run(submission.row)
    return presentations.task_run(*await engine.details.fetch(submission.run_id))


async def _ended(request: Request, run_id: str, ends: Expectation, wait: float) -> Details:
    with suppress(TimeoutError):  # The server stops: the present state is answered.
        async with streams_of(request).hold():
            await ends.first(wait)
    return await engine_of(request).details.fetch(run_id)


async def _details(request: Request, run_id: str, wait: float, caller: Caller = ANYONE) -> Details:
    engine = engine_of(request)
    with engine.expect([run_id] if wait else []) as ends:
        run, attempts = await engine.details.fetch(run_id)
        if not caller.sees(run["workflow"]):
            raise run_not_found(run_id)
        if not wait or run["status"] in RUN_TERMINAL:
            return run, attempts
        return await _ended(request, run_id, ends, wait)


def trigger_for(body: RunRequest, caller: Caller, traceparent: str | None, run_id: str | None = None) -> Trigger:
    """What the engine needs of a request.

    Raises:
        RequestValidationError: the arguments hold a number JSON cannot express, or the start is too far away.
    """
    return Trigger(
        task=body.task,
        input=body.input,
        input_json=_json_text(body.input),
        run_id=run_id,
        idempotency_key=body.idempotency_key,
        plan=body.plan,
        timeout_seconds=body.timeout_seconds,
        retry=None if body.retry is None else body.retry.policy(),
        priority=body.priority,
        ready_at=_start(body),
        tags=body.tags,
        metadata=body.metadata,
        traceparent=traceparent if traceparent and TRACEPARENT.match(traceparent) else None,
        workflow=caller.workflow,
    )


def _json_text(value: Any) -> str:
    # The standard library's encoder, because it keeps integers of any size.
    try:
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))
    except (ValueError, RecursionError) as error:
        raise queries.wrong_value("input", f"cannot be stored as JSON: {error}", "body") from error
    return text


def _start(body: RunRequest) -> datetime | None:
    if body.delay_seconds:
        return datetime.now(UTC) + timedelta(seconds=body.delay_seconds)
    if body.run_at is None:
        return None
    delay = body.run_at - datetime.now(UTC)
    if delay > MAX_DELAY:
        raise queries.wrong_value("runAt", "is more than a year ahead", "body")
    return body.run_at if delay > timedelta() else None


@hot.get("/v1/task-runs/{run_id}", response_model=TaskRunDetails, responses=failures.READ_ONE)
async def get_run(request: Request, run_id: str, wait: WaitSeconds = 0.0) -> Response:
    """Read a run with its arguments and, once it succeeded, its result."""
    caller = await authorise(request, Scope.READ)
    return reply(presentations.task_run_details(*await _details(request, run_id, wait, caller)))


@hot.post("/v1/task-runs/batch", status_code=202, response_model=TaskRunBatch, responses=failures.TRIGGER)
async def start_runs(request: Request, body: RunBatch) -> Response:
    """Execute up to 1,000 tasks; all are accepted, or none."""
    caller = await authorise(request, Scope.TRIGGER)
    engine = engine_of(request)
    traceparent = request.headers.get("traceparent")
    submissions = await engine.submit_many([trigger_for(entry, caller, traceparent) for entry in body.task_runs])
    return reply({"taskRuns": [await _accepted(engine, submission) for submission in submissions]}, 202)


@router.delete("/v1/task-runs/{run_id}", status_code=204, responses=failures.READ_ONE)
async def cancel_run(request: Request, run_id: str, caller: Operator) -> Response:
    """Cancel a run and everything it started; a run that is over stays as it is."""
    await check_visible(request, run_id, caller)
    await engine_of(request).cancel(run_id)
    return Response(status_code=204)


@router.post("/v1/task-runs/{run_id}/retry", status_code=202, response_model=TaskRun, responses=failures.CHANGE)
async def retry_run(request: Request, run_id: str, caller: Operator) -> Response:
    """Start a failed or canceled run again, as a new run with the same arguments."""
    engine = engine_of(request)
    return reply(await _accepted(engine, await engine.retry(run_id, caller.workflow)), 202)


async def check_visible(request: Request, run_id: str, caller: Caller) -> Row:
    """The run, if there is one and the caller may know of it.

    Raises:
        NotFound: otherwise.
    """
    async with engine_of(request).database.transaction() as connection:
        run = await runs.fetch_run(connection, run_id)
    if run is None or not caller.sees(run["workflow"]):
        raise run_not_found(run_id)
    return run
