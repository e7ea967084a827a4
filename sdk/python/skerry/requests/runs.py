"""Runs: start, look at, wait for, cancel."""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from skerry.errors import NotFound, SerializationError, WaitTimeout
from skerry.models import LogLine, Run, RunTree
from skerry.requests.conversations import Listing, Operation, Page, Request, body_of, listing, query, segment, timestamp
from skerry.retries import Retry
from skerry.serialization.encode import Unserializable, to_json

# The longest wait one request may ask for; a longer one is several requests.
LONGEST_WAIT_SECONDS = 60.0
LOG_PAGE_SIZE = 1000


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run to start, with everything that can be said about it.

    Attributes:
        task: `workflow/task`, `workflow/task:version`, or a `tsk-` id.
        input: arguments by position (list) or by name (mapping).
        idempotency_key: a second request with the same key gives the same run; made up if None.
        priority: 0 to 9, higher first.
        delay_seconds: not before so many seconds from now; or `run_at`, a moment with a time zone.
    """

    task: str
    input: Sequence[Any] | Mapping[str, Any] = ()
    idempotency_key: str | None = None
    plan: str | None = None
    timeout_seconds: float | None = None
    retry: Retry | None = None
    priority: int | None = None
    delay_seconds: float | None = None
    run_at: datetime | None = None
    tags: Sequence[str] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The body of a trigger. The automatic idempotency key is what makes it safe to send again."""
        body = {
            "task": self.task,
            "input": self.input if isinstance(self.input, Mapping) else list(self.input),
            "idempotencyKey": self.idempotency_key or f"auto-{uuid.uuid4()}",
            "plan": self.plan,
            "timeoutSeconds": self.timeout_seconds,
            "retry": self.retry.to_rest() if self.retry else None,
            "priority": self.priority,
            "delaySeconds": self.delay_seconds,
            "runAt": timestamp(self.run_at),
            "tags": list(self.tags) or None,
            "metadata": dict(self.metadata) or None,
        }
        return {key: value for key, value in body.items() if value is not None}


def start_run(task: str, *args: Any, **kwargs: Any) -> Operation[Run]:
    """Start a run of `task` with these arguments: by position or by name, not both."""
    if args and kwargs:
        raise TypeError(
            "give the arguments of a run by position or by name, not both: the server does not know their order"
        )
    return create_run(task, kwargs or args)


def create_run(
    task: str,
    input: Sequence[Any] | Mapping[str, Any] = (),
    *,
    idempotency_key: str | None = None,
    plan: str | None = None,
    timeout_seconds: float | None = None,
    retry: Retry | None = None,
    priority: int | None = None,
    delay_seconds: float | None = None,
    run_at: datetime | None = None,
    tags: Sequence[str] = (),
    metadata: Mapping[str, Any] | None = None,
    wait_seconds: float = 0.0,
) -> Operation[Run]:
    """Start a run, with all options (see `RunRequest`).

    With `wait_seconds` (at most 60) it comes back finished, if it is by then.
    """
    request = RunRequest(
        task,
        input,
        idempotency_key,
        plan,
        timeout_seconds,
        retry,
        priority,
        delay_seconds,
        run_at,
        tags,
        metadata or {},
    )
    path, params = "/v1/task-runs", query(wait=wait_seconds or None)
    answer = yield Request("POST", path, params, _run_body(request), extra_seconds=wait_seconds)
    return Run.from_json(answer.value)


def _run_body(request: RunRequest) -> bytes:
    try:
        return to_json(request.to_json())
    except Unserializable as error:
        place = error.path.removeprefix("['input']")
        raise SerializationError(f"{request.task}(input{place}): {error.problem}") from None


def trigger_run(request: RunRequest) -> Operation[Run]:
    """Start a run of a task named like a Python attribute: where there is no `send_mail`, `send-mail` is meant."""
    try:
        answer = yield Request("POST", "/v1/task-runs", body=_run_body(request))
    except NotFound as error:
        slug, slash, name = request.task.rpartition("/")
        if error.code != "task_not_found" or "_" not in name:
            raise
        dashed = dataclasses.replace(request, task=f"{slug}{slash}{name.replace('_', '-')}")
        try:
            answer = yield Request("POST", "/v1/task-runs", body=_run_body(dashed))
        except NotFound:
            raise error from None
    return Run.from_json(answer.value)


def create_runs(requests: Sequence[RunRequest]) -> Operation[list[Run]]:
    """Start up to 1,000 runs in one transaction: all or none. The runs come back in the same order."""
    body = body_of({"taskRuns": [request.to_json() for request in requests]})
    answer = yield Request("POST", "/v1/task-runs/batch", body=body)
    return [Run.from_json(run) for run in answer.value["taskRuns"]]


def get_run(run_id: str, wait_seconds: float = 0.0) -> Operation[Run]:
    """One run with input and results. With `wait_seconds` (at most 60) the answer waits for its end."""
    path, params = f"/v1/task-runs/{segment(run_id)}", query(wait=wait_seconds or None)
    answer = yield Request("GET", path, params, extra_seconds=wait_seconds)
    return Run.from_json(answer.value)


def wait_for_run(run_id: str, timeout_seconds: float | None = None) -> Operation[Run]:
    """The finished run.

    Raises:
        WaitTimeout: it did not finish within `timeout_seconds`; it goes on.
    """
    end = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    while True:
        left = LONGEST_WAIT_SECONDS if end is None else max(0.0, end - time.monotonic())
        run = yield from get_run(run_id, min(LONGEST_WAIT_SECONDS, left))
        if run.finished:
            return run
        if end is not None and time.monotonic() >= end:
            raise WaitTimeout(f"run {run_id} did not finish within {timeout_seconds:g} s; it is {run.status}")


def run_result(run_id: str, timeout_seconds: float | None = None) -> Operation[Any]:
    """The result of a run, waited for.

    Raises:
        TaskRunError: it failed, timed out or was canceled.
        WaitTimeout: it did not finish within `timeout_seconds`; it goes on.
    """
    run = yield from wait_for_run(run_id, timeout_seconds)
    return run.value()


def cancel_run(run_id: str) -> Operation[None]:
    """Cancel a run and everything it started. Canceling a finished run changes nothing."""
    yield Request("DELETE", f"/v1/task-runs/{segment(run_id)}")


def retry_run(run_id: str) -> Operation[Run]:
    """Start a failed or canceled run again, as a new run with the same input."""
    answer = yield Request("POST", f"/v1/task-runs/{segment(run_id)}/retry", idempotent=False)
    return Run.from_json(answer.value)


def run_tree(run_id: str) -> Operation[RunTree]:
    """A run and all its descendants."""
    answer = yield Request("GET", f"/v1/task-runs/{segment(run_id)}/tree")
    return RunTree.from_json(answer.value)


def list_runs(
    *,
    status: str | Sequence[str] | None = None,
    task: str | None = None,
    workflow: str | None = None,
    tag: str | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
    root_run_id: str | None = None,
    limit: int | None = None,
) -> Listing:
    """Runs, newest first; at most `limit`."""
    filters = query(
        status=status,
        task=task,
        workflow=workflow,
        tag=tag,
        createdAfter=created_after,
        createdBefore=created_before,
        rootTaskRunId=root_run_id,
    )
    return listing("/v1/task-runs", "taskRun", Run.from_json, filters, limit)


def run_logs(run_id: str, *, include_descendants: bool = False, limit: int | None = None) -> Listing:
    """The lines a run has written so far, oldest first."""

    def page(cursor: str | None) -> Operation[Page]:
        size = LOG_PAGE_SIZE if limit is None else min(limit, LOG_PAGE_SIZE)
        params = query(cursor=cursor, limit=size, includeDescendants=include_descendants or None)
        answer = yield Request("GET", f"/v1/task-runs/{segment(run_id)}/logs", params)
        lines = [LogLine.from_json(line) for line in answer.value["logs"]]
        return Page(lines, answer.value.get("cursor") if len(lines) >= size else None)

    return page
