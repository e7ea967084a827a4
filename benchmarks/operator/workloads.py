"""The objects of a load: TaskRuns of one RunnerPool, and Jobs with the very Pod that the operator would make."""

from __future__ import annotations

from typing import Any

from benchmarks.operator.kinds import JOBS
from benchmarks.operator.planes import NAMESPACE
from skerry_objects import names
from skerry_objects.clients import RUNNER_POOLS, TASK_RUNS, Resource
from skerry_objects.models import Metadata
from skerry_objects.pod_templates import PodTemplate, Resources
from skerry_objects.runner_pools import IdleRequests, RunnerPool, RunnerPoolSpec
from skerry_objects.task_runs import TaskRun, TaskRunSpec
from skerry_operator.manifests import Surroundings, attempt_pod

Json = dict[str, Any]

URL = "http://control-plane.test:8120"
# As the operator has it where nothing is set.
USER = 65532
VERSION = "wfv-benchmark"
PLAN = "standard"
POOL = names.pool_name(VERSION, PLAN)
# As the chart has it where nothing is set.
IDLE_REQUESTS = IdleRequests(cpu="50m", memory="64Mi")


def pool() -> RunnerPool:
    """The pool that TaskRuns take their Pods' template from; it keeps no Pods ahead."""
    return _pool(VERSION)


def waiting_pool(number: int, replicas: int) -> Json:
    """A pool of another version for each number, which keeps so many Pods ahead."""
    return _manifest(_pool(f"{VERSION}-{number}", replicas=replicas, idle_requests=IDLE_REQUESTS).to_json())


def task_run(name: str) -> Json:
    """A TaskRun as the control plane writes it."""
    return _manifest(_task_run(name).to_json())


def claim(name: str, pod: Json) -> Json:
    """A TaskRun of an attempt that a waiting Pod took."""
    pool_ref = pod["metadata"]["labels"][names.POOL]
    version = pool_ref.removesuffix(f"-{PLAN}")
    return _manifest(_task_run(name, version=version, pool_ref=pool_ref, pod_name=pod["metadata"]["name"]).to_json())


def job(name: str) -> Json:
    """A Job whose Pod is that of a TaskRun of this name, and that is not retried either."""
    pod = attempt_pod(_task_run(name), pool(), Surroundings(URL, None, USER))
    template = {"metadata": {"labels": pod["metadata"]["labels"]}, "spec": pod["spec"]}
    spec = {"backoffLimit": 0, "template": template}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}


def pool_manifest() -> Json:
    """The pool, to be created."""
    return _manifest(pool().to_json())


def operators_binding(user: str) -> Json:
    """Lets the operator's user act in the namespace, as a service account is let: by role."""
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "operator"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    }


def outcome(resource: Resource, item: Json) -> bool | None:
    """Whether a TaskRun or Job succeeded; None while it is not over."""
    status = item.get("status") or {}
    if resource == TASK_RUNS:
        phase = status.get("phase")
        return None if phase not in ("Succeeded", "Failed", "Canceled") else phase == "Succeeded"
    conditions = {entry["type"] for entry in status.get("conditions") or () if entry["status"] == "True"}
    return True if "Complete" in conditions else False if "Failed" in conditions else None


def is_running(resource: Resource, item: Json) -> bool | None:
    """Whether a TaskRun or Job is said to run, or a RunnerPool has the Pods it wants; None: not yet, False: it is over."""
    status = item.get("status") or {}
    if resource == RUNNER_POOLS:
        return status.get("idle", 0) == item["spec"]["replicas"] or None
    if resource == JOBS:
        return False if outcome(resource, item) is not None else status.get("ready", 0) == 1 or None
    phase = status.get("phase")
    return True if phase == "Running" else None if phase in (None, "Pending", "Starting") else False


def _pool(version: str, **more: Any) -> RunnerPool:
    size = {"cpu": "100m", "memory": "128Mi"}
    template = PodTemplate(
        image="registry.test/benchmark:1", app="tasks:app", resources=Resources(requests=size, limits=size)
    )
    spec = RunnerPoolSpec(workflow="benchmark", version=version, plan=PLAN, template=template, **more)
    return RunnerPool(metadata=Metadata(name=names.pool_name(version, PLAN)), spec=spec)


def _task_run(name: str, version: str = VERSION, pool_ref: str = POOL, pod_name: str | None = None) -> TaskRun:
    spec = TaskRunSpec(
        run_id=name,
        workflow="benchmark",
        version=version,
        task="nothing",
        pool_ref=pool_ref,
        plan=PLAN,
        timeout_seconds=600,
        pod_name=pod_name,
    )
    return TaskRun(metadata=Metadata(name=name, namespace=NAMESPACE), spec=spec)


def _manifest(item: Json) -> Json:
    return {key: value for key, value in item.items() if key != "status"}
