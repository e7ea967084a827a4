"""Workflows, their versions and tasks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from skerry_api.domain.tasks import SLUG
from skerry_api.http.schemas.runs import RetryPolicy
from skerry_api.http.schemas.shapes import NUMBER, Cursor, Name, Shape, Time

Isolation = Literal["container", "process", "worker"]
VersionStatus = Literal["created", "building", "build_failed", "registering", "registration_failed", "ready"]
Attempts = Annotated[int, Field(ge=1, le=1_000_000, description="At once, not counting those that only wait."), NUMBER]
RetentionDays = Annotated[int, Field(ge=1, le=3650, description="How long finished runs are kept."), NUMBER]

WORKFLOW_EXAMPLE: dict[str, Any] = {
    "id": "wfl-d3k1v2c5f0s73a8b9c00",
    "name": "Shop",
    "slug": "shop",
    "isolation": "process",
    "concurrencyLimit": None,
    "retentionDays": 30,
    "createdAt": "2026-11-22T21:04:05.678Z",
    "updatedAt": "2026-11-22T21:04:05.678Z",
    "latestVersionId": "wfv-d3k1v2c5f0s73a8b9c08",
    "ownerId": "",
    "buildConfig": {"buildCommand": "", "repo": "", "runtime": "python"},
    "runCommand": "",
    "region": "oregon",
}


class Warm(Shape):
    """Pods that wait ahead of need, for each plan in use; what is left out is as the installation says."""

    min: Annotated[int | None, Field(ge=0, le=10_000, description="How many wait always."), NUMBER] = None
    max: Annotated[int | None, Field(ge=0, le=10_000, description="How many may wait after work has come."), NUMBER] = (
        None
    )
    idle_seconds: Annotated[
        int | None,
        Field(ge=0, le=86_400, description="How long one beyond the least waits after the last need of it."),
        NUMBER,
    ] = None


class Source(Shape):
    """What a version is released from, as in a Workflow object; what is left out stays as it was."""

    image: Annotated[Name | None, Field(description="The image that holds the tasks.")] = None
    app: Annotated[
        Name | None,
        Field(description="The application, `module:attribute`, if the image does not name it in SKERRY_APP."),
    ] = None
    command: Annotated[
        list[str] | None,
        Field(max_length=100, description="A program that speaks the socket protocol, in place of `app`."),
    ] = None
    env: Annotated[
        list[dict[str, Any]] | None,
        Field(
            max_length=200,
            description="Environment variables, as in a Pod. What is secret belongs in a Secret: `valueFrom`.",
        ),
    ] = None

    capacity: Annotated[
        int | None, Field(ge=1, le=256, description="Runs at once in one container, with `isolation` process."), NUMBER
    ] = None
    warm: Warm | None = None

    def source(self) -> dict[str, Any]:
        """The part of a Workflow's spec that was given."""
        included = {*Source.model_fields, *({"isolation"} & self.model_fields_set)}
        return self.model_dump(by_alias=True, exclude_none=True, include=included)


class WorkflowRequest(Source):
    """A workflow to make; with an `image`, also its first version."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Shop", "slug": "shop", "isolation": "process"}]}
    )

    name: Name
    slug: Annotated[
        str | None,
        Field(
            max_length=63,
            pattern="^" + SLUG.pattern.removesuffix(r"\Z") + "$",
            description="How tasks are addressed, as `slug/task`. Left out, it is made from the name.",
        ),
    ] = None
    isolation: Annotated[Isolation, Field(description="What a run gets to itself.")] = "process"
    concurrency_limit: Annotated[Attempts | None, Field(description="Null: no limit.")] = None
    retention_days: RetentionDays = 30


def _describe_change(schema: dict[str, Any]) -> None:
    schema["examples"] = [{"concurrencyLimit": 20}]
    for setting in schema["properties"].values():
        setting.pop("default", None)


class WorkflowChange(Shape):
    """Settings of a workflow to change; what is left out stays."""

    # The defaults are never used: only what was given is taken.
    model_config = ConfigDict(json_schema_extra=_describe_change)

    name: Name = ""
    isolation: Isolation = "process"
    concurrency_limit: Annotated[Attempts | None, Field(description="Null: no limit.")] = None
    retention_days: RetentionDays = 30


class BuildConfig(Shape):
    """How Render would build a workflow; here only so that its clients can read the reply."""

    build_command: str
    repo: str
    runtime: str


class Workflow(Shape):
    """A named set of tasks."""

    model_config = ConfigDict(json_schema_extra={"examples": [WORKFLOW_EXAMPLE]})

    id: str
    name: str
    slug: str
    isolation: Isolation
    concurrency_limit: int | None
    retention_days: int
    created_at: Time
    updated_at: Time
    latest_version_id: Annotated[str | None, Field(description="The newest version that is ready.")]
    owner_id: str
    build_config: BuildConfig
    run_command: str
    region: str


class WorkflowItem(Shape):
    """One element of a list of workflows."""

    workflow: Workflow
    cursor: Cursor


class VersionRequest(Source):
    """A version to release."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"workflowId": "wfl-d3k1v2c5f0s73a8b9c00", "image": "registry.example/shop:7"}]}
    )

    workflow_id: Name
    commit: Name | None = None
    isolation: Annotated[
        Literal["container", "process"] | None,
        Field(description="A container for each run, or containers that take many, each in a process of its own."),
    ] = None


class Waiting(Shape):
    """What holds a registration up."""

    reason: Annotated[str, Field(description="One word, such as the cluster's `ImagePull`.")]
    message: Annotated[str, Field(description="The same for people.")]


class Version(Shape):
    """One release of a workflow."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "wfv-d3k1v2c5f0s73a8b9c08",
                    "workflowId": "wfl-d3k1v2c5f0s73a8b9c00",
                    "status": "ready",
                    "name": "wfv-d3k1v2c5f0s73a8b9c08",
                    "createdAt": "2026-11-22T21:04:05.678Z",
                    "readyAt": "2026-11-22T21:04:06.100Z",
                }
            ]
        }
    )

    id: str
    workflow_id: str
    status: VersionStatus
    name: str
    image: str | None = None
    error: Annotated[str | None, Field(description="Why its tasks could not be registered: the traceback.")] = None
    waiting: Annotated[Waiting | None, Field(description="What holds it up while it registers, if anything does.")] = (
        None
    )
    created_at: Time
    ready_at: datetime | None = None


class VersionItem(Shape):
    """One element of a list of versions."""

    workflow_version: Version
    cursor: Cursor


class TaskParameter(Shape):
    """One parameter of a task's function."""

    name: str
    type: str | None = None
    has_default: bool
    default_value: Annotated[str | None, Field(description="As JSON text.")] = None


class Task(Shape):
    """A task as its version registered it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "tsk-d3k1v2c5f0s73a8b9c0g",
                    "name": "send_mail",
                    "slug": "shop/send_mail",
                    "workflowId": "wfl-d3k1v2c5f0s73a8b9c00",
                    "workflowVersionId": "wfv-d3k1v2c5f0s73a8b9c08",
                    "createdAt": "2026-11-22T21:04:06.100Z",
                    "plan": "standard",
                    "timeoutSeconds": 7200,
                    "retry": {"maxRetries": 3, "waitDurationMs": 1000, "factor": 2.0},
                    "parameters": [{"name": "to", "type": "str", "hasDefault": False, "defaultValue": None}],
                    "inputSchema": None,
                    "description": "Send a mail.",
                    "concurrencyLimit": None,
                }
            ]
        }
    )

    id: str
    name: str
    slug: Annotated[str, Field(description="`workflow/task`: its address.")]
    workflow_id: str
    workflow_version_id: str
    created_at: Time
    plan: str
    timeout_seconds: float
    retry: RetryPolicy
    parameters: Annotated[list[TaskParameter] | None, Field(description="Null when it was not registered.")]
    input_schema: Annotated[dict[str, Any] | None, Field(description="JSON Schema of the parameters.")]
    description: str | None
    concurrency_limit: Annotated[
        int | None,
        Field(description="How many of its runs may be carried out at once. Null: as many as its workflow's."),
    ]


class TaskItem(Shape):
    """One element of a list of tasks."""

    task: Task
    cursor: Cursor
