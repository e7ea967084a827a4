"""Pods as they are made: of a RunnerPool's template, and of what is the operator's alone – identity and security."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from skerry_objects import names
from skerry_objects.models import Metadata
from skerry_objects.pod_templates import PodTemplate
from skerry_objects.runner_pools import RunnerPool
from skerry_objects.task_runs import TaskRun
from skerry_operator.pods import Pod
from skerry_operator.sizes import CLAIMED_REQUESTS, growth_of

# Which template an idle Pod was made from, so that a changed template replaces it.
TEMPLATE: Final = f"{names.GROUP}/template"
AUDIENCE: Final = "skerry"
TOKEN_FOLDER: Final = "/var/run/secrets/skerry"  # noqa: S105  # a place, not a secret
TOKEN_SECONDS: Final = 3600
# The runner ends user code at the task's timeout; the Pod's own deadline leaves it time to start and to report.
START_AND_FAREWELL_SECONDS: Final = 900
GRACE_SECONDS: Final = 30
_TMP: Final = "/tmp"  # noqa: S108  # in the container

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all Pods share.

    Attributes:
        url: the control plane, as Pods reach it.
        service_account: whose identity Pods have where the template says nothing.
        user: the user and group of the processes; None leaves it to the image.
    """

    url: str
    service_account: str | None
    user: int | None


def attempt_pod(run: TaskRun, pool: RunnerPool, around: Surroundings) -> Json:
    """The Pod of a TaskRun's present attempt."""
    name = names.pod_name(run.metadata.name, run.spec.attempt)
    spec = _spec(pool, around, pinned=f"{run.spec.run_id}-{run.spec.attempt}")
    spec["activeDeadlineSeconds"] = _deadline_seconds(run)
    labels = _labels(pool) | attempt_labels(run)
    return _pod(name, labels, pool.spec.template, owner(run.kind, run.metadata), spec)


def idle_pod(pool: RunnerPool, suffix: str, around: Surroundings, *, small: bool) -> Json:
    """A Pod that waits for work, `small` if it can be. If it fails, the end of its log tells why: it has seen no input yet."""
    labels = _labels(pool) | {TEMPLATE: template_hash(pool)}
    spec = _spec(pool, around, pinned=None)
    container = spec["containers"][0]
    container["terminationMessagePolicy"] = "FallbackToLogsOnError"
    pod = _pod(f"{pool.metadata.name}-{suffix}", labels, pool.spec.template, owner(pool.kind, pool.metadata), spec)
    growth = growth_of(pool) if small else None
    if growth is not None:
        container["resources"]["requests"] |= growth.idle
        pod["metadata"].setdefault("annotations", {})[CLAIMED_REQUESTS] = json.dumps(growth.claimed)
    return pod


def adoption(run: TaskRun, pod: Pod, now: datetime) -> Json:
    """The change that makes a warm Pod the Pod of a TaskRun's present attempt; its deadline counts from its start."""
    change: Json = {"metadata": {"labels": attempt_labels(run), "ownerReferences": [owner(run.kind, run.metadata)]}}
    if not pod.all_ended:
        age = math.ceil((now - pod.created_at).total_seconds())
        change["spec"] = {"activeDeadlineSeconds": age + _deadline_seconds(run)}
    return change


def attempt_labels(run: TaskRun) -> dict[str, str]:
    """What tells a Pod that has a run from an idle one."""
    return {
        names.RUN: names.label_value(run.spec.run_id),
        names.TASK: names.label_value(run.spec.task),
        names.ATTEMPT: str(run.spec.attempt),
    }


def template_hash(pool: RunnerPool) -> str:
    """The same for Pods that wait alike: of one template, and as small as each other where there is room for growing."""
    growth, template = growth_of(pool), pool.spec.template.to_json()
    if growth is not None:
        template["idleRequests"] = growth.idle
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]


def owner(kind: str, metadata: Metadata) -> Json:
    """A reference to the object that a Pod goes with."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": kind,
        "name": metadata.name,
        "uid": metadata.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def _deadline_seconds(run: TaskRun) -> int:
    return math.ceil(run.spec.timeout_seconds) + START_AND_FAREWELL_SECONDS


def _pod(name: str, labels: dict[str, str], template: PodTemplate, reference: Json, spec: Json) -> Json:
    metadata: Json = {"name": name, "labels": _others(template.labels) | labels, "ownerReferences": [reference]}
    annotations = _others(template.annotations)
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _others(given: Mapping[str, str]) -> dict[str, str]:
    # Our own labels decide who a Pod belongs to, and annotations what becomes of it: a template cannot set them.
    return {key: value for key, value in given.items() if not key.startswith(f"{names.GROUP}/")}


def _labels(pool: RunnerPool) -> dict[str, str]:
    return {
        names.MANAGED_BY: names.MANAGER,
        names.WORKFLOW: names.label_value(pool.spec.workflow),
        names.POOL: names.label_value(pool.metadata.name),
    }


def _spec(pool: RunnerPool, around: Surroundings, pinned: str | None) -> Json:
    template = pool.spec.template
    token = {"serviceAccountToken": {"audience": AUDIENCE, "expirationSeconds": TOKEN_SECONDS, "path": "token"}}
    spec: Json = {
        "restartPolicy": "Never",
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": _pod_security(around),
        "containers": [_container(pool, around, pinned)],
        "volumes": [*template.volumes, {"name": "skerry-token", "projected": {"sources": [token]}}],
    }
    if not _mounts_tmp(template):
        spec["volumes"].append({"name": "skerry-tmp", "emptyDir": {}})
    return spec | _given(
        serviceAccountName=template.service_account_name or around.service_account,
        nodeSelector=template.node_selector,
        tolerations=list(template.tolerations),
        runtimeClassName=template.runtime_class_name,
        imagePullSecrets=[secret.to_json() for secret in template.image_pull_secrets],
    )


def _container(pool: RunnerPool, around: Surroundings, pinned: str | None) -> Json:
    template = pool.spec.template
    container: Json = {
        "name": names.CONTAINER,
        "image": template.image,
        "command": ["skerry-runner"],
        "args": _arguments(pool, around.url, is_pinned=pinned is not None),
        "env": [*(variable.to_json() for variable in template.env), *_environment(pool, around, pinned)],
        "resources": template.resources.to_json(),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            # User code may write where its image lets it.
            "readOnlyRootFilesystem": False,
        },
        "volumeMounts": [
            *template.volume_mounts,
            {"name": "skerry-token", "mountPath": TOKEN_FOLDER, "readOnly": True},
        ],
    }
    if not _mounts_tmp(template):
        container["volumeMounts"].append({"name": "skerry-tmp", "mountPath": _TMP})
    return container | _given(
        imagePullPolicy=template.image_pull_policy,
        workingDir=template.working_dir,
        envFrom=list(template.env_from),
    )


def _arguments(pool: RunnerPool, url: str, *, is_pinned: bool) -> list[str]:
    template = pool.spec.template
    arguments = ["--url", url, "--runner", "$(SKERRY_POD_NAME)", "--pool", pool.metadata.name]
    arguments += ["--version", pool.spec.version, "--isolation", "container" if is_pinned else pool.spec.isolation]
    if pool.spec.isolation != "container" and not is_pinned:
        arguments += ["--capacity", str(pool.spec.capacity)]
    if template.app is not None:
        return [*arguments, "--app", template.app]
    return [*arguments, "--", *template.command] if template.command else arguments


def _environment(pool: RunnerPool, around: Surroundings, pinned: str | None) -> list[Json]:
    values = {
        "SKERRY_URL": around.url,
        "SKERRY_WORKFLOW": pool.spec.workflow,
        "SKERRY_RUNNER_TOKEN_FILE": f"{TOKEN_FOLDER}/token",
        # Empty where there is none: a Secret, a ConfigMap or the image could name one otherwise.
        "SKERRY_PINNED_ATTEMPT": pinned or "",
    }
    fields = {
        "SKERRY_POD_NAME": "metadata.name",
        "SKERRY_POD_UID": "metadata.uid",
        "SKERRY_NODE_NAME": "spec.nodeName",
    }
    plain: list[Json] = [{"name": name, "value": value} for name, value in values.items()]
    return plain + [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()]


def _pod_security(around: Surroundings) -> Json:
    context: Json = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if around.user is not None:
        context |= {"runAsUser": around.user, "runAsGroup": around.user, "fsGroup": around.user}
    return context


def _mounts_tmp(template: PodTemplate) -> bool:
    return any(mount.get("mountPath", "").rstrip("/") == _TMP for mount in template.volume_mounts)


def _given(**values: Any) -> Json:
    return {name: value for name, value in values.items() if value}
