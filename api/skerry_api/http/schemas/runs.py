"""Runs: triggers that come in, and runs with their attempts that go out."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Field, field_validator, model_validator

from skerry_api.domain.retries import Retry
from skerry_api.domain.states import Reason, RunStatus
from skerry_api.http.schemas.shapes import NUMBER, STORABLE, Cursor, Metadata, Moment, Name, Shape, Time

RUN_EXAMPLE: dict[str, Any] = {
    "id": "trn-d3k1v2c5f0s73a8b9c10",
    "taskId": "tsk-d3k1v2c5f0s73a8b9c0g",
    "task": "shop/send_mail",
    "taskName": "send_mail",
    "workflowId": "wfl-d3k1v2c5f0s73a8b9c00",
    "workflowVersionId": "wfv-d3k1v2c5f0s73a8b9c08",
    "status": "succeeded",
    "reason": None,
    "parentTaskRunId": "",
    "rootTaskRunId": "trn-d3k1v2c5f0s73a8b9c10",
    "retries": 0,
    "attempts": [
        {
            "attempt": 0,
            "taskRunId": "trn-d3k1v2c5f0s73a8b9c10",
            "status": "succeeded",
            "reason": None,
            "enqueuedAt": "2026-11-22T21:04:05.678Z",
            "startedAt": "2026-11-22T21:04:05.681Z",
            "completedAt": "2026-11-22T21:04:06.120Z",
            "error": None,
            "usage": {"cpuSeconds": 0.21, "maxRssBytes": 48_234_496},
            "timings": {"queuedSeconds": 0.001, "startingSeconds": 0.002, "runningSeconds": 0.439},
            "runner": "rnr-d3k1v2c5f0s73a8b9c0o",
        }
    ],
    "createdAt": "2026-11-22T21:04:05.678Z",
    "startedAt": "2026-11-22T21:04:05.681Z",
    "completedAt": "2026-11-22T21:04:06.120Z",
    "plan": "standard",
    "priority": 0,
    "tags": ["nightly"],
    "metadata": {"customer": "c-17"},
    "timeoutSeconds": 7200,
    "retry": {"maxRetries": 3, "waitDurationMs": 1000, "factor": 2.0},
}


class RetryPolicy(Shape):
    """How often and how soon a failed run is tried again."""

    max_retries: Annotated[int, Field(ge=0, le=1000, description="Attempts after the first."), NUMBER] = 3
    wait_duration_ms: Annotated[int, Field(ge=0, le=86_400_000, description="Before the first of them."), NUMBER] = 1000
    factor: Annotated[float, Field(ge=1, le=100, description="How much longer each further wait is."), NUMBER] = 1.5

    def policy(self) -> Retry:
        """The same, as the engine knows it."""
        return Retry(self.max_retries, self.wait_duration_ms, self.factor)


class RunRequest(Shape):
    """A request to execute a task."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"task": "shop/send_mail", "input": ["ann@example.com"]},
                {
                    "task": "shop/send_mail",
                    "input": {"to": "ann@example.com"},
                    "idempotencyKey": "order-1017",
                    "plan": "starter",
                    "delaySeconds": 30,
                },
            ]
        }
    )

    task: Annotated[
        str, Field(min_length=1, max_length=512, description="`workflow/task[:version]` or a `tsk-` id."), *STORABLE
    ]
    input: Annotated[
        Any,
        Field(
            default_factory=list,
            description="Arguments: a list by position or an object by name.",
            json_schema_extra={"anyOf": [{"type": "array", "items": {}}, {"type": "object"}]},
        ),
    ]
    idempotency_key: Annotated[
        Name | None,
        Field(description="A second request with it answers the first's run, for as long as that is retained."),
    ] = None
    plan: Annotated[Name | None, Field(description="Instead of the task's own; see `/v1/plans`.")] = None
    timeout_seconds: Annotated[float, Field(gt=0, description="Instead of the task's own."), NUMBER] | None = None
    retry: RetryPolicy | None = None
    priority: Annotated[int, Field(ge=0, le=9, description="Higher goes first."), NUMBER] = 0
    delay_seconds: Annotated[float, Field(ge=0, le=365 * 86_400, description="Start later."), NUMBER] | None = None
    run_at: Annotated[Moment | None, Field(description="Start at this moment, at most a year ahead.")] = None
    tags: Annotated[list[Name], Field(default_factory=list, max_length=50)]
    metadata: Annotated[Metadata, Field(default_factory=dict)]

    @field_validator("input")
    @classmethod
    def _check_input(cls, value: Any) -> Any:
        if not isinstance(value, list | dict):
            raise ValueError("must be a list (arguments by position) or an object (arguments by name)")
        return value

    @model_validator(mode="after")
    def _check_start(self) -> RunRequest:
        if self.delay_seconds is not None and self.run_at is not None:
            raise ValueError("give either delaySeconds or runAt, not both")
        return self


class RunBatch(Shape):
    """Several requests, all of which are accepted or none."""

    task_runs: Annotated[list[RunRequest], Field(min_length=1, max_length=1000)]


class AttemptStatus(StrEnum):
    """Where one try of a run is, in Render's words."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class Usage(Shape):
    """What an attempt has used, as measured."""

    cpu_seconds: float | None = None
    max_rss_bytes: int | None = None


class Timings(Shape):
    """Where an attempt's time went; a part that has not ended is left out."""

    queued_seconds: Annotated[float | None, Field(description="From its moment until a runner had it.")] = None
    starting_seconds: Annotated[float | None, Field(description="Until user code began.")] = None
    import_seconds: Annotated[float | None, Field(description="Importing the application, if this attempt had to.")] = (
        None
    )
    running_seconds: Annotated[float | None, Field(description="User code.")] = None


class Attempt(Shape):
    """One try of a run."""

    attempt: Annotated[int, Field(ge=0, description="0 for the first.")]
    task_run_id: str
    status: AttemptStatus
    reason: Annotated[Reason | None, Field(description="Why it did not succeed.")] = None
    enqueued_at: Time
    started_at: Annotated[Time, Field(description="While it is pending: when it was queued.")]
    completed_at: Annotated[datetime | None, Field(description="Absent until it has ended.")] = None
    error: Annotated[str | None, Field(description="Its message, if it failed.")] = None
    usage: Usage | None = None
    timings: Timings
    runner: Annotated[str | None, Field(description="Which runner had it.")] = None
    pod_name: Annotated[str | None, Field(description="The Pod it had to itself, on Kubernetes.")] = None
    node: Annotated[str | None, Field(description="The node that Pod ran on.")] = None


class ErrorDetails(Shape):
    """An error as user code raised it, or as the platform found it."""

    type: str
    message: str
    stack_trace: str | None = None


class TaskRun(Shape):
    """One request to execute a task, and how it stands."""

    model_config = ConfigDict(json_schema_extra={"examples": [RUN_EXAMPLE]})

    id: str
    task_id: str
    task: Annotated[str, Field(description="`workflow/task`.")]
    task_name: str
    workflow_id: str
    workflow_version_id: str
    status: RunStatus
    reason: Annotated[Reason | None, Field(description="Why it did not succeed.")] = None
    parent_task_run_id: Annotated[str, Field(description="Empty for a root.")]
    root_task_run_id: str
    parent_task_attempt: Annotated[int | None, Field(description="Whose attempt started it, from 0.")] = None
    retries: Annotated[int, Field(ge=0, description="Attempts after the first.")]
    attempts: list[Attempt]
    created_at: Time
    started_at: Annotated[datetime | None, Field(description="Absent until user code began.")] = None
    completed_at: Annotated[datetime | None, Field(description="Absent until it is over.")] = None
    error: Annotated[str | None, Field(description="Only for failed runs, and never empty then.")] = None
    error_details: Annotated[ErrorDetails | None, Field(description="For failed and canceled runs.")] = None
    plan: str
    priority: int
    tags: list[str]
    metadata: dict[str, Any]
    timeout_seconds: float
    retry: RetryPolicy
    idempotency_key: str | None = None
    retried_from: Annotated[str | None, Field(description="The run this one is a retry of.")] = None
    delayed_until: Annotated[datetime | None, Field(description="When it was asked to start, if later.")] = None


class TaskRunDetails(TaskRun):
    """A run with its arguments and its result."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**RUN_EXAMPLE, "input": ["ann@example.com"], "results": ["sent"]}]}
    )

    input: list[Any] | dict[str, Any]
    results: Annotated[list[Any], Field(description="The return value in a list; empty until it succeeded.")]


class TaskRunBatch(Shape):
    """The runs of a batch, in the order of their requests."""

    task_runs: list[TaskRun]


class TaskRunItem(Shape):
    """One element of a list of runs."""

    task_run: TaskRun
    cursor: Cursor


class RunTree(Shape):
    """A run and everything it started."""

    run: TaskRun
    children: list[RunTree]


class RunTreeRoot(RunTree):
    """The whole tree, with whether it was cut off."""

    truncated: Annotated[bool, Field(description="Whether there are more runs than are shown.")]
