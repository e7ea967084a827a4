"""What can be asked of the server, without asking.

An operation is a generator that yields `Request`s and is sent their `Answer`s; what it returns is the value the
caller gets. `Client` and `AsyncClient` only differ in how they carry such a conversation out, so nothing here is
written twice.
"""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from skerry.errors import ApiError, ConnectionFailed, NotFound, SerializationError, WaitTimeout
from skerry.models import (
    ApiKey,
    Json,
    LogLine,
    NewApiKey,
    Plan,
    RegisteredTask,
    Run,
    RunTree,
    Workflow,
    WorkflowVersion,
)
from skerry.retries import Retry
from skerry.serialization.encode import Unserializable, to_json

T = TypeVar("T")

# The longest wait one request may ask for; a longer one is several requests.
LONGEST_WAIT_SECONDS = 60.0
PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. Only `idempotent` ones are sent again when it is unclear whether they arrived.

    Attributes:
        extra_seconds: how long the server may hold the answer, on top of the client's timeout.
        timeout_seconds: instead of the client's timeout.
        is_probe: asked once, whatever comes; the body does not matter.
    """

    method: str
    path: str
    params: Sequence[tuple[str, str]] = ()
    body: bytes | None = None
    idempotent: bool = True
    extra_seconds: float = 0.0
    timeout_seconds: float | None = None
    is_probe: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The decoded answer of a request that succeeded."""

    status: int
    value: Any


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, and the cursor of what follows (None: nothing does)."""

    items: Sequence[Any]
    cursor: str | None


Operation = Generator[Request, Answer, T]
Listing = Callable[[str | None], Operation[Page]]


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
            "runAt": _timestamp(self.run_at),
            "tags": list(self.tags) or None,
            "metadata": dict(self.metadata) or None,
        }
        return {key: value for key, value in body.items() if value is not None}


def _timestamp(value: datetime | None) -> str | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone; use datetime.now(UTC) or an aware datetime")
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def query(**filters: Any) -> list[tuple[str, str]]:
    """Query parameters: None is left out, sequences are repeated, datetimes and booleans spelled as the API does."""
    pairs: list[tuple[str, str]] = []
    for name, value in filters.items():
        for item in value if isinstance(value, list | tuple | set | frozenset) else (value,):
            if item is not None:
                pairs.append((name, _timestamp(item) or "" if isinstance(item, datetime) else _text(item)))
    return pairs


def _text(value: Any) -> str:
    return (
        ("true" if value else "false")
        if isinstance(value, bool)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


def body_of(value: Any) -> bytes:
    """A JSON body.

    Raises:
        SerializationError: some part has no JSON form; the message names its path.
    """
    try:
        return to_json(value)
    except Unserializable as error:
        raise SerializationError(f"body{error.path}: {error.problem}") from None


# Runs


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
    path, params = f"/v1/task-runs/{run_id}", query(wait=wait_seconds or None)
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
    yield Request("DELETE", f"/v1/task-runs/{run_id}")


def retry_run(run_id: str) -> Operation[Run]:
    """Start a failed or canceled run again, as a new run with the same input."""
    answer = yield Request("POST", f"/v1/task-runs/{run_id}/retry", idempotent=False)
    return Run.from_json(answer.value)


def run_tree(run_id: str) -> Operation[RunTree]:
    """A run and all its descendants."""
    answer = yield Request("GET", f"/v1/task-runs/{run_id}/tree")
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
    return _listing("/v1/task-runs", "taskRun", Run.from_json, filters, limit)


def run_logs(run_id: str, *, include_descendants: bool = False, limit: int | None = None) -> Listing:
    """The lines a run has written so far, oldest first."""

    def page(cursor: str | None) -> Operation[Page]:
        size = PAGE_SIZE * 10 if limit is None else min(limit, PAGE_SIZE * 10)
        params = query(cursor=cursor, limit=size, includeDescendants=include_descendants or None)
        answer = yield Request("GET", f"/v1/task-runs/{run_id}/logs", params)
        lines = [LogLine.from_json(line) for line in answer.value["logs"]]
        return Page(lines, answer.value.get("cursor") if len(lines) >= size else None)

    return page


# Everything else


def is_live() -> Operation[bool]:
    """Whether the server answers at all; asked once, without retries."""
    return (yield from _answers("/healthz"))


def is_ready() -> Operation[bool]:
    """Whether the server can do its work: Postgres is there and migrated; asked once, without retries."""
    return (yield from _answers("/readyz"))


def _answers(path: str) -> Operation[bool]:
    try:
        yield Request("GET", path, is_probe=True)
    except (ApiError, ConnectionFailed):
        return False
    return True


def _listing(
    path: str, key: str, read: Callable[[Json], Any], filters: Sequence[tuple[str, str]] = (), limit: int | None = None
) -> Listing:
    """A list whose elements are `{key: …, "cursor": …}`."""
    size = PAGE_SIZE if limit is None else min(limit, PAGE_SIZE)

    def page(cursor: str | None) -> Operation[Page]:
        answer = yield Request("GET", path, [*filters, *query(limit=size, cursor=cursor)])
        items = [read(entry[key]) for entry in answer.value]
        following = answer.value[-1].get("cursor") if len(items) >= size and items else None
        return Page(items, following)

    return page


def list_tasks(*, workflow: str | None = None, workflow_id: str | None = None, limit: int | None = None) -> Listing:
    """Registered tasks, of one workflow if its slug or id is given."""
    filters = query(workflowSlug=workflow, workflowId=workflow_id)
    return _listing("/v1/tasks", "task", RegisteredTask.from_json, filters, limit)


def get_task(task_id: str) -> Operation[RegisteredTask]:
    """One registered task."""
    answer = yield Request("GET", f"/v1/tasks/{task_id}")
    return RegisteredTask.from_json(answer.value)


def list_workflows(*, name: str | None = None, limit: int | None = None) -> Listing:
    """Workflows."""
    return _listing("/v1/workflows", "workflow", Workflow.from_json, query(name=name), limit)


def create_workflow(name: str, **fields: Any) -> Operation[Workflow]:
    """Create a workflow; `fields` are the API's, for example `image` and `env`."""
    answer = yield Request("POST", "/v1/workflows", body=body_of({"name": name, **fields}), idempotent=False)
    return Workflow.from_json(answer.value)


def get_workflow(workflow_id: str) -> Operation[Workflow]:
    """One workflow."""
    answer = yield Request("GET", f"/v1/workflows/{workflow_id}")
    return Workflow.from_json(answer.value)


def update_workflow(workflow_id: str, **fields: Any) -> Operation[Workflow]:
    """Change some fields of a workflow."""
    answer = yield Request("PATCH", f"/v1/workflows/{workflow_id}", body=body_of(fields))
    return Workflow.from_json(answer.value)


def delete_workflow(workflow_id: str) -> Operation[None]:
    """Delete a workflow."""
    yield Request("DELETE", f"/v1/workflows/{workflow_id}")


def list_versions(*, workflow_id: str | None = None, limit: int | None = None) -> Listing:
    """Versions, newest first."""
    filters = query(workflowId=workflow_id)
    return _listing("/v1/workflowversions", "workflowVersion", WorkflowVersion.from_json, filters, limit)


def get_version(version_id: str) -> Operation[WorkflowVersion]:
    """One version."""
    answer = yield Request("GET", f"/v1/workflowversions/{version_id}")
    return WorkflowVersion.from_json(answer.value)


def list_plans() -> Operation[list[Plan]]:
    """All compute plans."""
    answer = yield Request("GET", "/v1/plans")
    return [Plan.from_json(entry["plan"]) for entry in answer.value]


def create_api_key(name: str, scopes: Sequence[str], workflow: str | None = None) -> Operation[NewApiKey]:
    """Make an API key with `scopes` (read, trigger, admin), optionally for one workflow only. Its secret is shown once."""
    fields = {"name": name, "scopes": list(scopes), **({"workflow": workflow} if workflow else {})}
    answer = yield Request("POST", "/v1/api-keys", body=body_of(fields), idempotent=False)
    return NewApiKey.from_json(answer.value)


def list_api_keys(*, limit: int | None = None) -> Listing:
    """API keys, without their secrets."""
    return _listing("/v1/api-keys", "apiKey", ApiKey.from_json, (), limit)


def revoke_api_key(key_id: str) -> Operation[None]:
    """Make an API key worthless."""
    yield Request("DELETE", f"/v1/api-keys/{key_id}")


def any_request(
    method: str,
    path: str,
    *,
    params: Mapping[str, Any] | None = None,
    json: Any = None,
    timeout_seconds: float | None = None,
    idempotent: bool | None = None,
) -> Operation[Any]:
    """Any route: the decoded answer as it came, None if it is empty. Requests other than POST count as idempotent.

    `timeout_seconds` replaces the client's timeout.
    """
    body = None if json is None else body_of(json)
    is_idempotent = method.upper() != "POST" if idempotent is None else idempotent
    pairs = query(**(params or {}))
    answer = yield Request(method.upper(), path, pairs, body, is_idempotent, timeout_seconds=timeout_seconds)
    return answer.value
