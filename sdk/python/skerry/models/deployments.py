"""What is deployed: workflows, their versions and tasks, and the compute plans there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from skerry.models.values import Json, Model, moment, retry_settings
from skerry.retries import Retry


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
    concurrency_limit: int | None

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
            retry=retry_settings(get("retry")),
            parameters=tuple(TaskParameter.from_json(item) for item in get("parameters") or ()),
            input_schema=get("inputSchema"),
            description=get("description"),
            concurrency_limit=get("concurrencyLimit"),
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
class Waiting:
    """What holds the registration of a version up, such as an image that cannot be pulled yet."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class WorkflowVersion(Model):
    """One release of a workflow. `error` says why registering it failed, `waiting` what holds it up."""

    id: str
    workflow_id: str
    status: str
    name: str | None
    image: str | None
    error: str | None
    created_at: datetime | None
    ready_at: datetime | None
    waiting: Waiting | None = None

    @classmethod
    def from_json(cls, fields: Json) -> Self:
        """Read the API's spelling."""
        get = fields.get
        held_up = get("waiting")
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
            waiting=Waiting(held_up["reason"], held_up["message"]) if held_up else None,
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
