"""Objects as the API server shows them, with what a test does not care about filled in."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from skerry_objects import names
from skerry_objects.runner_pools import RunnerPool
from skerry_objects.task_runs import TaskRun
from skerry_operator.manifests import TEMPLATE, template_hash
from skerry_operator.pods import Pod, read_pod
from skerry_operator.sizes import CLAIMED_REQUESTS

Json = dict[str, Any]
NOW = datetime(2030, 1, 1, 12, 0, 0, tzinfo=UTC)
RUN_UID = "uid-of-run"
POOL_UID = "uid-of-pool"


def stamp(seconds: float = 0) -> str:
    return (NOW + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def task_run(status: Json | None = None, *, deleted: bool = False, **spec: Any) -> TaskRun:
    metadata = {"name": "trn-1", "uid": RUN_UID, "generation": 1, "resourceVersion": "5", "namespace": "tasks"}
    values = {
        "runID": "trn-1",
        "workflow": "etl",
        "version": "wfv-1",
        "task": "load",
        "poolRef": "pool",
        "plan": "standard",
        "timeoutSeconds": 59.5,
        **spec,
    }
    if deleted:
        metadata["deletionTimestamp"] = stamp()
    return TaskRun.model_validate({"metadata": metadata, "spec": values, "status": status or {"phase": "Pending"}})


def runner_pool(
    replicas: int = 1, status: Json | None = None, *, spec: Json | None = None, **template: Any
) -> RunnerPool:
    return RunnerPool.model_validate(
        {
            "metadata": {"name": "pool", "uid": POOL_UID, "generation": 3},
            "spec": {
                "workflow": "etl",
                "version": "wfv-1",
                "plan": "standard",
                "replicas": replicas,
                "template": {"image": "etl:1", **template},
                **(spec or {}),
            },
            "status": status or {},
        }
    )


def pod(
    name: str = "trn-1-1",
    *,
    owner: tuple[str, str, str] | None = ("TaskRun", "trn-1", RUN_UID),
    labels: dict[str, str] | None = None,
    created: float = -60,
    deletion: float | None = None,
    node: str | None = "node-1",
    requests: Json | None = None,
    claimed: Json | None = None,
    **status: Any,
) -> Pod:
    metadata: Json = {
        "name": name,
        "uid": f"uid-of-{name}",
        "resourceVersion": "7",
        "creationTimestamp": stamp(created),
        "labels": labels or {},
    }
    if owner is not None:
        kind, owner_name, uid = owner
        metadata["ownerReferences"] = [{"kind": kind, "name": owner_name, "uid": uid, "controller": True}]
    if deletion is not None:
        metadata["deletionTimestamp"] = stamp(deletion)
    if claimed is not None:
        metadata["annotations"] = {CLAIMED_REQUESTS: json.dumps(claimed)}
    spec: Json = {"containers": [{"name": "runner", "resources": {"requests": requests or {}}}]}
    if node:
        spec["nodeName"] = node
    return read_pod({"metadata": metadata, "spec": spec, "status": status})


def idle(name: str, *, template: RunnerPool | None = None, **kept: Any) -> Pod:
    """A Pod of the pool without a run."""
    labels = {names.POOL: "pool", TEMPLATE: template_hash(template or runner_pool())}
    return pod(name, owner=("RunnerPool", "pool", POOL_UID), labels=labels, **kept)


def waiting(reason: str = "ContainerCreating", message: str = "") -> Json:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"phase": "Pending", "containerStatuses": [{"name": "runner", "state": state}]}


def running(since: float = -30) -> Json:
    state = {"running": {"startedAt": stamp(since)}}
    return {"phase": "Running", "containerStatuses": [{"name": "runner", "state": state}]}


def ended(code: int = 0, reason: str = "", at: float = -1, message: str = "", **status: Any) -> Json:
    state = {
        "exitCode": code,
        "reason": reason or ("Error" if code else "Completed"),
        "message": message,
        "startedAt": stamp(at - 10),
        "finishedAt": stamp(at),
    }
    container = {"name": "runner", "state": {"terminated": state}}
    return {"phase": "Failed" if code else "Succeeded", "containerStatuses": [container], **status}


def condition(kind: str, status: str, reason: str, message: str = "", since: float = -60) -> Json:
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": stamp(since)}


def disrupted(reason: str, message: str = "") -> Json:
    return {"conditions": [condition("DisruptionTarget", "True", reason, message)]}


def unschedulable(since: float, message: str = "0/3 nodes are available") -> Json:
    return {"phase": "Pending", "conditions": [condition("PodScheduled", "False", "Unschedulable", message, since)]}
