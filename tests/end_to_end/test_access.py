"""Least privilege, as the API server itself decides it."""

from __future__ import annotations

import pytest

from tests.end_to_end.clusters import CommandFailed, run
from tests.end_to_end.installations import NAMESPACE, TASKS_NAMESPACE, Installation

CONTROL_PLANE = f"system:serviceaccount:{NAMESPACE}:skerry-control-plane"
OPERATOR = f"system:serviceaccount:{NAMESPACE}:skerry-operator"
RUNNER = f"system:serviceaccount:{TASKS_NAMESPACE}:skerry-tasks"


def may(account: str, verb: str, kind: str, namespace: str) -> bool:
    """What `kubectl auth can-i` says."""
    try:
        kind, _, part = kind.partition("/")
        command = [
            "kubectl",
            "auth",
            "can-i",
            verb,
            kind,
            "--subresource",
            part,
            "--as",
            account,
            "--namespace",
            namespace,
        ]
        return run(*command).startswith("yes")
    except CommandFailed as answer:  # its way to say no
        if ": exit code 1\nno" not in str(answer):
            raise
        return False


@pytest.mark.parametrize(
    ("account", "verb", "kind", "namespace", "allowed"),
    [
        (CONTROL_PLANE, "create", "taskruns.skerry.dev", TASKS_NAMESPACE, True),
        (CONTROL_PLANE, "patch", "runnerpools.skerry.dev", TASKS_NAMESPACE, True),
        (CONTROL_PLANE, "create", "tokenreviews.authentication.k8s.io", TASKS_NAMESPACE, True),
        (CONTROL_PLANE, "create", "pods", TASKS_NAMESPACE, False),
        (CONTROL_PLANE, "get", "pods", TASKS_NAMESPACE, False),
        (CONTROL_PLANE, "delete", "pods", TASKS_NAMESPACE, False),
        (CONTROL_PLANE, "create", "taskruns.skerry.dev", "default", False),
        (CONTROL_PLANE, "get", "secrets", NAMESPACE, False),
        (CONTROL_PLANE, "get", "secrets", TASKS_NAMESPACE, False),
        (OPERATOR, "create", "pods", TASKS_NAMESPACE, True),
        (OPERATOR, "delete", "pods", TASKS_NAMESPACE, True),
        (OPERATOR, "patch", "pods/resize", TASKS_NAMESPACE, True),
        (OPERATOR, "patch", "pods/resize", NAMESPACE, False),
        (OPERATOR, "patch", "taskruns.skerry.dev/status", TASKS_NAMESPACE, True),
        (OPERATOR, "create", "pods", NAMESPACE, False),
        (OPERATOR, "create", "pods/exec", TASKS_NAMESPACE, False),
        (OPERATOR, "create", "taskruns.skerry.dev", TASKS_NAMESPACE, False),
        (OPERATOR, "get", "secrets", TASKS_NAMESPACE, False),
        (OPERATOR, "get", "secrets", NAMESPACE, False),
        (RUNNER, "get", "pods", TASKS_NAMESPACE, False),
        (RUNNER, "get", "taskruns.skerry.dev", TASKS_NAMESPACE, False),
        (RUNNER, "get", "secrets", TASKS_NAMESPACE, False),
        (RUNNER, "create", "pods", TASKS_NAMESPACE, False),
    ],
)
def test_who_may_do_what(
    installation: Installation, account: str, verb: str, kind: str, namespace: str, allowed: bool
) -> None:
    assert may(account, verb, kind, namespace) == allowed


def test_a_task_pod_has_no_token_of_the_api_server(skerry: Installation) -> None:
    done = skerry.finished(skerry.start("faults/quick", 1).id)
    spec = skerry.tasks.get("pod", f"{done.id}-1")["spec"]
    assert spec["automountServiceAccountToken"] is False
    sources = [source for volume in spec["volumes"] for source in volume.get("projected", {}).get("sources", ())]
    assert [source["serviceAccountToken"]["audience"] for source in sources] == ["skerry"]


def test_both_namespaces_admit_restricted_pods_only(installation: Installation) -> None:
    for namespace in (installation.own, installation.tasks):
        labels = namespace.get("namespace", namespace.name)["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
