"""Objects as the control plane writes them: TaskRuns, and RunnerPools made from what a version was released from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from skerry_api.domain.plans import Plan
from skerry_api.storage.launches import Launch
from skerry_objects import names
from skerry_objects.models import Metadata
from skerry_objects.pod_templates import PodTemplate, Resources
from skerry_objects.runner_pools import IdleRequests, RunnerPool, RunnerPoolSpec
from skerry_objects.task_runs import TaskRun, TaskRunSpec
from skerry_objects.workflows import WorkflowSpec

# What of a Workflow makes a new version when it changes, its template beside; the rest takes effect at once.
_CODE = ("image", "app", "command", "env", "env_from")


@dataclass(frozen=True, slots=True)
class PodDefaults:
    """What holds for the Pods of all workflows.

    Attributes:
        service_account: whose identity they have.
        cpu_ratio: how much of a plan's CPU the scheduler sets aside; the limit is the whole.
        memory_ratio: the same of its memory.
        template: a `SharedTemplate` as JSON; what a Workflow says goes before.
        idle_requests: what a Pod that waits requests in place of that; None: the same.
    """

    service_account: str | None = None
    cpu_ratio: float = 1.0
    memory_ratio: float = 1.0
    template: Mapping[str, Any] = field(default_factory=dict)
    idle_requests: IdleRequests | None = None


def task_run(launch: Launch, pod: str | None = None) -> TaskRun:
    """The TaskRun of a run; `pod` is the waiting Pod that took its attempt."""
    labels = {
        names.MANAGED_BY: names.MANAGER,
        names.WORKFLOW: names.label_value(launch.workflow),
        names.TASK: names.label_value(launch.task),
        names.RUN: names.label_value(launch.run),
        names.POOL: names.label_value(launch.pool),
    }
    return TaskRun(
        metadata=Metadata(name=names.task_run_name(launch.run), labels=labels),
        spec=TaskRunSpec(
            run_id=launch.run,
            workflow=launch.workflow,
            version=launch.version_id,
            task=launch.task,
            attempt=launch.number,
            pool_ref=launch.pool,
            plan=launch.plan,
            timeout_seconds=launch.timeout_seconds,
            pod_name=pod,
        ),
    )


def source_of(spec: WorkflowSpec) -> dict[str, Any]:
    """What a version is released from: those parts of a Workflow that concern its Pods."""
    source = spec.model_dump(mode="json", by_alias=True, exclude_none=True, include=set(_CODE))
    # Only what was written: a field that was left out must not replace what holds for all workflows.
    template = spec.template.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)
    shared = {"isolation": spec.isolation, "capacity": spec.capacity} if spec.isolation != "container" else {}
    return {**source, **shared, "template": template}


def version_name(source: Mapping[str, Any]) -> str:
    """A name for a version that is the same for the same source."""
    digest = hashlib.sha256(json.dumps(source, sort_keys=True).encode()).hexdigest()[:12]
    return f"sha-{digest}"


def runner_pool(
    workflow: str, version_id: str, plan: Plan, source: Mapping[str, Any], defaults: PodDefaults, replicas: int
) -> RunnerPool:
    """The RunnerPool of a version and plan."""
    own = {key: source[key] for key in ("image", "app", "command", "env", "envFrom") if source.get(key)}
    resources = Resources(requests=_amounts(plan, defaults.cpu_ratio, defaults.memory_ratio), limits=_amounts(plan))
    account = {} if defaults.service_account is None else {"serviceAccountName": defaults.service_account}
    template = PodTemplate.model_validate(
        {**account, **defaults.template, "resources": resources, **source.get("template", {}), **own}
    )
    labels = {names.MANAGED_BY: names.MANAGER, names.WORKFLOW: names.label_value(workflow)}
    return RunnerPool(
        metadata=Metadata(name=names.pool_name(version_id, plan.name), labels=labels),
        spec=RunnerPoolSpec(
            workflow=workflow,
            version=version_id,
            plan=plan.name,
            isolation=source.get("isolation", "container"),
            capacity=source.get("capacity", 1),
            replicas=replicas,
            idle_requests=defaults.idle_requests,
            template=template,
        ),
    )


def pool_change(pool: RunnerPool, defaults: PodDefaults, replicas: int) -> dict[str, Any]:
    """What of a RunnerPool's spec is to change, as a merge patch; empty when it is as wanted. Its template stays."""
    before, after = pool.spec.idle_requests, defaults.idle_requests
    change: dict[str, Any] = {}
    if pool.spec.replicas != replicas:
        change["replicas"] = replicas
    if before != after:
        change["idleRequests"] = None if after is None else after.model_dump(mode="json", by_alias=True)
    return change


def _amounts(plan: Plan, cpu_ratio: float = 1.0, memory_ratio: float = 1.0) -> dict[str, str]:
    mebibytes = plan.memory_bytes * memory_ratio / (1024 * 1024)
    return {"cpu": f"{max(1, round(plan.cpu * cpu_ratio * 1000))}m", "memory": f"{max(1, int(mebibytes))}Mi"}
