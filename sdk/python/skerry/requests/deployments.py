"""What is deployed: workflows, their versions and tasks, and the compute plans there are."""

from __future__ import annotations

from typing import Any

from skerry.models import Plan, RegisteredTask, Workflow, WorkflowVersion
from skerry.requests.conversations import Listing, Operation, Request, body_of, listing, query, segment


def list_tasks(*, workflow: str | None = None, workflow_id: str | None = None, limit: int | None = None) -> Listing:
    """Registered tasks, of one workflow if its slug or id is given."""
    filters = query(workflowSlug=workflow, workflowId=workflow_id)
    return listing("/v1/tasks", "task", RegisteredTask.from_json, filters, limit)


def get_task(task_id: str) -> Operation[RegisteredTask]:
    """One registered task."""
    answer = yield Request("GET", f"/v1/tasks/{segment(task_id)}")
    return RegisteredTask.from_json(answer.value)


def list_workflows(*, name: str | None = None, limit: int | None = None) -> Listing:
    """Workflows."""
    return listing("/v1/workflows", "workflow", Workflow.from_json, query(name=name), limit)


def create_workflow(name: str, **fields: Any) -> Operation[Workflow]:
    """Create a workflow; `fields` are the API's, for example `image` and `env`."""
    answer = yield Request("POST", "/v1/workflows", body=body_of({"name": name, **fields}), idempotent=False)
    return Workflow.from_json(answer.value)


def get_workflow(workflow_id: str) -> Operation[Workflow]:
    """One workflow."""
    answer = yield Request("GET", f"/v1/workflows/{segment(workflow_id)}")
    return Workflow.from_json(answer.value)


def update_workflow(workflow_id: str, **fields: Any) -> Operation[Workflow]:
    """Change some fields of a workflow."""
    answer = yield Request("PATCH", f"/v1/workflows/{segment(workflow_id)}", body=body_of(fields))
    return Workflow.from_json(answer.value)


def delete_workflow(workflow_id: str) -> Operation[None]:
    """Delete a workflow."""
    yield Request("DELETE", f"/v1/workflows/{segment(workflow_id)}")


def list_versions(*, workflow_id: str | None = None, limit: int | None = None) -> Listing:
    """Versions, newest first."""
    filters = query(workflowId=workflow_id)
    return listing("/v1/workflowversions", "workflowVersion", WorkflowVersion.from_json, filters, limit)


def get_version(version_id: str) -> Operation[WorkflowVersion]:
    """One version."""
    answer = yield Request("GET", f"/v1/workflowversions/{segment(version_id)}")
    return WorkflowVersion.from_json(answer.value)


def list_plans() -> Operation[list[Plan]]:
    """All compute plans."""
    answer = yield Request("GET", "/v1/plans")
    return [Plan.from_json(entry["plan"]) for entry in answer.value]
