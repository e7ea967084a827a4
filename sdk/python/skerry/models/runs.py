"""Runs, their attempts, trees and lines, and the events about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from skerry.errors import error_for_run
from skerry.models.values import Json, Model, moment, retry_settings
from skerry.retries import Retry

FINISHED = frozenset({"succeeded", "completed", "failed", "canceled"})


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
            retry=retry_settings(get("retry")),
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
class ServerEvent:
    """One server-sent event, its data decoded."""

    event: str
    data: Any
    id: str | None = None
