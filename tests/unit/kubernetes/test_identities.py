"""A reviewed token says which Pod it is bound to, or nothing."""

from __future__ import annotations

from typing import Any

import pytest

from skerry_api.engine.executions import PodIdentity
from skerry_api.executors.kubernetes.identities import identity_of

BOUND = {
    "authentication.kubernetes.io/pod-name": ["trn-1-1"],
    "authentication.kubernetes.io/pod-uid": ["0f7c"],
}


def test_a_pod_of_the_tasks_namespace() -> None:
    user = {"username": "system:serviceaccount:tasks:runner", "extra": BOUND}
    assert identity_of(user, "tasks") == PodIdentity("tasks", "runner", "trn-1-1", "0f7c")


def test_the_node_is_told_where_the_cluster_binds_tokens_to_nodes() -> None:
    extra = {**BOUND, "authentication.kubernetes.io/node-name": ["node-1"]}
    user = {"username": "system:serviceaccount:tasks:runner", "extra": extra}
    assert identity_of(user, "tasks") == PodIdentity("tasks", "runner", "trn-1-1", "0f7c", "node-1")


@pytest.mark.parametrize(
    "user",
    [
        {},
        {"username": "alice", "extra": BOUND},
        {"username": "system:serviceaccount:other:runner", "extra": BOUND},
        {"username": "system:serviceaccount:tasks:runner"},
        {"username": "system:serviceaccount:tasks:runner", "extra": {}},
        {"username": "evil:serviceaccount:tasks:runner", "extra": BOUND},
    ],
)
def test_anybody_else_is_nobody(user: dict[str, Any]) -> None:
    assert identity_of(user, "tasks") is None
