"""Names and labels of everything Skerry puts into a cluster."""

from __future__ import annotations

import hashlib
import re

GROUP = "skerry.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "skerry"
WORKFLOW = f"{GROUP}/workflow"
TASK = f"{GROUP}/task"
RUN = f"{GROUP}/run"
POOL = f"{GROUP}/pool"
ATTEMPT = f"{GROUP}/attempt"
CONTAINER = "runner"

# Environment variables that tell a runner who it is and where its control plane is: the operator's, in every task Pod.
RUNNERS_VARIABLES = frozenset(
    {
        "SKERRY_NODE_NAME",
        "SKERRY_PINNED_ATTEMPT",
        "SKERRY_POD_NAME",
        "SKERRY_POD_UID",
        "SKERRY_RUNNER_TOKEN_FILE",
        "SKERRY_URL",
        "SKERRY_WORKFLOW",
    }
)

# What a label's value may be; names of tasks are freer.
_NOT_LABEL = re.compile(r"[^A-Za-z0-9_.-]+")
_LABEL_LENGTH = 63


def task_run_name(run_id: str) -> str:
    """The name of a run's TaskRun: run ids are valid names, so it is the id itself."""
    return run_id


def pod_name(task_run: str, attempt: int) -> str:
    """The Pod of one attempt. The same words as the attempt's id, so that either tells the other."""
    return f"{task_run}-{attempt}"


def pool_name(version_id: str, plan: str) -> str:
    """The RunnerPool of one version and plan."""
    return f"{version_id}-{plan.replace('_', '-')}"


def version_of(pool: str) -> str:
    """The version whose runs a pool takes: its name begins with the version's id, which has 24 characters."""
    return pool[:24]


def label_value(text: str) -> str:
    """`text` as a label's value: itself where that is allowed, else shortened and told apart by a hash."""
    if len(text) <= _LABEL_LENGTH and re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?", text):
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    stem = _NOT_LABEL.sub("-", text)[: _LABEL_LENGTH - 9].strip("-_.")
    return f"{stem}-{digest}" if stem else digest
