"""Nodes that only pretend, by KWOK: a Pod on them runs at once and, if it ends at all, a moment later."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]

COUNT = 20
# As many as a kubelet takes where nothing else is set.
KUBELET_PODS = 110
# Room for everything: the scheduler must not be what is measured.
CAPACITY = {"cpu": "4k", "memory": "16Ti", "pods": "10k"}
# Without Leases KWOK's nodes become NotReady, and their Pods are evicted.
LEASE_SECONDS = 40
AT_ONCE = 16

# KWOK takes a step twice when what it sees is late. With times and addresses that do not depend on when it does so, the
# second changes nothing; with others it would be news to everybody, of a kind that no kubelet tells.
_RUNNING = """
{{ $began := .metadata.creationTimestamp }}
phase: Running
startTime: {{ $began | Quote }}
hostIP: 10.0.0.1
podIP: 10.0.0.2
conditions:
{{ range $type := list "Initialized" "Ready" "ContainersReady" }}
- {type: {{ $type }}, status: "True", lastTransitionTime: {{ $began | Quote }}}
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  ready: true
  started: true
  restartCount: 0
  state: {running: {startedAt: {{ $began | Quote }}}}
  resources:
    requests: {cpu: {{ .resources.requests.cpu | Quote }}, memory: {{ .resources.requests.memory | Quote }}}
    limits: {cpu: {{ .resources.limits.cpu | Quote }}, memory: {{ .resources.limits.memory | Quote }}}
{{ end }}
"""
_SUCCEEDED = """
{{ $began := .metadata.creationTimestamp }}
phase: Succeeded
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  ready: false
  started: false
  restartCount: 0
  state: {terminated: {exitCode: 0, reason: Completed, startedAt: {{ $began | Quote }}, finishedAt: {{ $began | Quote }}}}
{{ end }}
"""
# As a kubelet does, KWOK says which resources a Pod has, or the API server would not let it be resized; and says it again then.
_IS_RESIZED = """
if .status.phase == "Running" and .status.containerStatuses[0].resources != .spec.containers[0].resources
then "yes" else "no" end
"""


def nodes(count: int = COUNT, pods: int | None = None) -> list[Json]:
    """Nodes, by default as many as make the scheduler choose.

    Args:
        count: How many.
        pods: The most that each takes; None: as many as there are.
    """
    capacity = CAPACITY if pods is None else CAPACITY | {"pods": str(pods)}
    return [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": f"kwok-{number}", "annotations": {"kwok.x-k8s.io/node": "fake"}},
            "status": {"allocatable": capacity, "capacity": capacity},
        }
        for number in range(count)
    ]


def is_usable(node: Json) -> bool:
    """Whether the scheduler may use a node."""
    return not node["spec"].get("taints")


def configuration(run_seconds: float | None) -> str:
    """KWOK's configuration.

    Args:
        run_seconds: How long a Pod runs before it succeeds; None lets it run on.
    """
    options = {"podPlayStageParallelism": AT_ONCE, "nodeLeaseDurationSeconds": LEASE_SECONDS, "manageAllNodes": True}
    documents: list[Json] = [
        {"apiVersion": "config.kwok.x-k8s.io/v1alpha1", "kind": "KwokConfiguration", "options": options},
        _stage("run", {"phase": "Pending"}, {"statusTemplate": _RUNNING}),
        _stage("remove", {"deleted": True}, {"finalizers": {"empty": True}, "delete": True}),
    ]
    if run_seconds is None:
        rules = [{"key": _IS_RESIZED.strip(), "operator": "In", "values": ["yes"]}]
        documents.append(_stage("resize", {}, {"statusTemplate": _RUNNING}, rules=rules))
    else:
        delay = {"durationMilliseconds": round(run_seconds * 1000)}
        documents.append(_stage("succeed", {"phase": "Running"}, {"statusTemplate": _SUCCEEDED}, delay))
    return "\n---\n".join(json.dumps(document) for document in documents)


def _stage(name: str, when: Json, following: Json, delay: Json | None = None, rules: Sequence[Json] = ()) -> Json:
    deleted = "Exists" if when.get("deleted") else "DoesNotExist"
    rules = [*rules, {"key": ".metadata.deletionTimestamp", "operator": deleted}]
    if "phase" in when:
        rules.append({"key": ".status.phase", "operator": "In", "values": [when["phase"]]})
    spec = {
        "resourceRef": {"apiGroup": "v1", "kind": "Pod"},
        "selector": {"matchExpressions": rules},
        "next": following,
        **({"delay": delay} if delay else {}),
    }
    return {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "Stage", "metadata": {"name": name}, "spec": spec}
