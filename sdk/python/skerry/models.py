"""What the server tells, as frozen values.

Every model keeps the server's JSON in `raw`, also what a newer server adds to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from skerry.errors import error_for_run
from skerry.retries import Retry

Json = Mapping[str, Any]
FINISHED = frozenset({"succeeded", "completed", "failed", "canceled"})


def moment(text: str | None) -> datetime | None:
    """A timestamp of the API, None if it has not happened."""
    return datetime.fromisoformat(text) if text else None


def _retry(fields: Json | None) -> Retry | None:
    if not fields:
        return None
    return Retry(fields["maxRetries"], fields["waitDurationMs"], max(1.0, fields.get("factor") or 1.5))


@dataclass(frozen=True, slots=True)
class Model:
    """Something the server told; `raw` is its JSON as it came."""

    raw: Json = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class ErrorDetails:
    """Why a run failed, in parts."""

    type: str | None
    message: str
    stack_trace: str | None

    @classmethod
    def from_json(cls, fields: Json) -> Self:
        """Read the API's spelling."""
        return cls(fields.get("type"), fields.get("message") or "", fields.get("stackTrace"))


@dataclass(frozen=True, slots=True)
class Usage:
    """What an attempt used."""

    cpu_seconds: float | None
    max_rss_bytes: int | None

    @classmethod
    def from_json(cls, fields: Json | None) -> Self:
        """Read the API's spelling."""
        fields = fields or {}
        return cls(fields.get("cpuSeconds"), fields.get("maxRssBytes"))


@dataclass(frozen=True, slots=True)
class Timings:
    """Where an attempt's time went, in seconds; None where it did not get that far."""

    queued_seconds: float | None
    starting_seconds: float | None
    import_seconds: float | None
    running_seconds: float | None

    @classmethod
    def from_json(cls, fields: Json | None) -> Self:
        """Read the API's spelling."""
        fields = fields or {}
        names = ("queuedSeconds", "startingSeconds", "importSeconds", "runningSeconds")
        return cls(*(fields.get(name) for name in names))


@dataclass(frozen=True, slots=True)
class Attempt(Model):
    """One try of a run; `number` counts from 0, as the API does."""

    number: int
    status: str
    reason: str | None
    enqueued_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    error: str | None
    usage: Usage
    timings: Timings
    runner: str | None
    pod_name: str | None
    node: str | None

    @classmethod
    def from_json(cls, fields: Json) -> Self:
        """Read the API's spelling."""
        get = fields.get
        return cls(
            raw=fields,
            number=get("attempt") or 0,
            status=fields["status"],
            reason=get("reason"),
            enqueued_at=moment(get("enqueuedAt")),
            started_at=moment(get("startedAt")),
            completed_at=moment(get("completedAt")),
            error=get("error"),
            usage=Usage.from_json(get("usage")),
            timings=Timings.from_json(get("timings")),
            runner=get("runner"),
            pod_name=get("podName"),
            node=get("node"),
        )


@dataclass(frozen=True, slots=True)
class Run(Model):
    """One request to execute a task. `input` and `results` are there when a single run was asked for, not in lists."""

    id: str
    task: str
    task_id: str
    task_name: str
    workflow_id: str | None
    status: str
    reason: str | None
    parent_run_id: str | None
    root_run_id: str
    retries: int
    attempts: tuple[Attempt, ...]
    created_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    error: str | None
    error_details: ErrorDetails | None
    plan: str | None
    priority: int | None
    tags: tuple[str, ...]
    metadata: Json
    timeout_seconds: float | None
    retry: Retry | None
    input: Any
    results: Sequence[Any]

    @classmethod
    def from_json(cls, fields: Json) -> Self:
        """Read the API's spelling."""
        get = fields.get
        details = get("errorDetails")
        return cls(
            raw=fields,
            id=fields["id"],
            task=get("task") or get("taskName") or "",
            task_id=get("taskId") or "",
            task_name=get("taskName") or (get("task") or "").rpartition("/")[2],
            workflow_id=get("workflowId"),
            status=fields["status"],
            reason=get("reason"),
            parent_run_id=get("parentTaskRunId") or None,
            root_run_id=get("rootTaskRunId") or fields["id"],
            retries=get("retries") or 0,
            attempts=tuple(Attempt.from_json(attempt) for attempt in get("attempts") or ()),
            created_at=moment(get("createdAt")),
            started_at=moment(get("startedAt")),
            completed_at=moment(get("completedAt")),
            error=get("error"),
            error_details=ErrorDetails.from_json(details) if details else None,
            plan=get("plan"),
            priority=get("priority"),
            tags=tuple(get("tags") or ()),
            metadata=get("metadata") or {},
            timeout_seconds=get("timeoutSeconds"),
            retry=_retry(get("retry")),
            input=get("input"),
            results=get("results") or (),
        )

    @property
    def finished(self) -> bool:
        """Whether the run has reached its end, whatever that is."""
        return self.status in FINISHED

    def value(self) -> Any:
        """The result of a finished run; JSON objects in it are `Record`s.

        Raises:
            TaskRunError: it failed, timed out or was canceled, or it has not finished.
        """
        from skerry.serialization.records import as_records
        from skerry.signatures import unwrapped

        if self.status in ("succeeded", "completed"):
            return as_records(unwrapped(list(self.results)))
        details = self.error_details or ErrorDetails(None, self.error or "", None)
        raise error_for_run(
            run_id=self.id,
            task=self.task,
            status=self.status if self.finished else f"has not finished (it is {self.status})",
            message=details.message or self.error,
            type=details.type,
            stack_trace=details.stack_trace,
            reason=self.reason,
        )


@dataclass(frozen=True, slots=True)
class RunTree:
    """A run and everything it started."""

    run: Run
    children: tuple[RunTree, ...]

    @classmethod
    def from_json(cls, fields: Json) -> RunTree:
        """Read the API's spelling."""
        children = tuple(cls.from_json(child) for child in fields.get("children") or ())
        return cls(Run.from_json(fields["run"]), children)


@dataclass(frozen=True, slots=True)
class LogLine(Model):
    """One line a task wrote."""

    id: str
    timestamp: datetime | None
    run_id: str
    attempt: int | None
    stream: str
    message: str

    @classmethod
    def from_json(cls, fields: Json) -> Self:
        """Read the API's spelling."""
        get = fields.get
        return cls(
            raw=fields,
            id=str(get("id") or ""),
            timestamp=moment(get("timestamp")),
            run_id=get("taskRunId") or "",
            attempt=get("attempt"),
            stream=get("stream") or "stdout",
            message=get("message") or "",
        )


@dataclass(frozen=True, slots=True)
class TaskParameter:
    """One parameter of a registered task."""

    name: str
    type: str | None
    has_default: bool
    default_value: str | None

    @classmethod
    def from_json(cls, fields: Json) -> Self:
        """Read the API's spelling."""
        get = fields.get
        return cls(fields["name"], get("type"), bool(get("hasDefault")), get("defaultValue"))


@dataclass(frozen=True, slots=True)
class RegisteredTask(Model):
    """A task as the newest version of its workflow registered it."""

    id: str
    name: str
    slug: str
    workflow_id: str | None
    version_id: str | None
    plan: str | None
    timeout_seconds: float | None
    retry: Retry | None
    parameters: tuple[TaskParameter, ...]
    input_schema: Json | None
    description: str | None

    @classmethod
    def from_json(cls, fields: Json) -> Self:
        """Read the API's spelling."""
        get = fields.get
        return cls(
            raw=fields,
            id=fields["id"],
            name=fields["name"],
            slug=get("slug") or fields["name"],
            workflow_id=get("workflowId"),
            version_id=get("workflowVersionId"),
            plan=get("plan"),
            timeout_seconds=get("timeoutSeconds"),
            retry=_retry(get("retry")),
            parameters=tuple(TaskParameter.from_json(item) for item in get("parameters") or ()),
            input_schema=get("inputSchema"),
            description=get("description"),
        )


@dataclass(frozen=True, slots=True)
class Workflow(Model):
    """A named set of tasks from one image."""

    id: str
    name: str
    slug: str
    isolation: str | None
    concurrency_limit: int | None
    retention_days: int | None
    created_at: datetime | None
    updated_at: datetime | None
    latest_version_id: str | None

    @classmethod
    def from_json(cls, fields: Json) -> Self:
        """Read the API's spelling."""
        get = fields.get
        return cls(
            raw=fields,
            id=fields["id"],
            name=fields["name"],
            slug=get("slug") or fields["name"],
            isolation=get("isolation"),
            concurrency_limit=get("concurrencyLimit"),
            retention_days=get("retentionDays"),
            created_at=moment(get("createdAt")),
            updated_at=moment(get("updatedAt")),
            latest_version_id=get("latestVersionId"),
        )


@dataclass(frozen=True, slots=True)
class WorkflowVersion(Model):
    """One release of a workflow. `error` says why registering it failed."""

    id: str
    workflow_id: str
    status: str
    name: str | None
    image: str | None
    error: str | None
    created_at: datetime | None
    ready_at: datetime | None

    @classmethod
    def from_json(cls, fields: Json) -> Self:
        """Read the API's spelling."""
        get = fields.get
        return cls(
            raw=fields,
            id=fields["id"],
            workflow_id=get("workflowId") or "",
            status=fields["status"],
            name=get("name"),
            image=get("image"),
            error=get("error"),
            created_at=moment(get("createdAt")),
            ready_at=moment(get("readyAt")),
        )


@dataclass(frozen=True, slots=True)
class Plan(Model):
    """A compute plan."""

    name: str
    cpu: float
    memory_bytes: int

    @classmethod
    def from_json(cls, fields: Json) -> Self:
        """Read the API's spelling."""
        return cls(raw=fields, name=fields["name"], cpu=fields["cpu"], memory_bytes=fields["memoryBytes"])


@dataclass(frozen=True, slots=True)
class ApiKey(Model):
    """An API key without its secret; `prefix` is how that starts."""

    id: str
    name: str
    scopes: tuple[str, ...]
    workflow: str | None
    created_at: datetime | None
    last_used_at: datetime | None
    prefix: str | None

    @classmethod
    def from_json(cls, fields: Json) -> Self:
        """Read the API's spelling."""
        get = fields.get
        return cls(
            raw=fields,
            id=fields["id"],
            name=get("name") or "",
            scopes=tuple(get("scopes") or ()),
            workflow=get("workflow"),
            created_at=moment(get("createdAt")),
            last_used_at=moment(get("lastUsedAt")),
            prefix=get("prefix"),
        )


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key that was just made. `key` is the secret; the server does not show it again."""

    api_key: ApiKey
    key: str = field(repr=False)

    @classmethod
    def from_json(cls, fields: Json) -> Self:
        """Read the API's spelling."""
        return cls(ApiKey.from_json(fields["apiKey"]), fields["key"])


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One server-sent event, its data decoded."""

    event: str
    data: Any
    id: str | None = None
