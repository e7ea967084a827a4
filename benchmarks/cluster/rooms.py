"""How many Pods of a size the cluster has room for: what a burst may ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from benchmarks.cluster.benches import Bench
from tests.end_to_end.clusters import Namespace

RESOURCES = ("cpu", "memory")
UNITS: dict[str, int | Decimal] = {
    "m": Decimal("0.001"),
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}


async def room(bench: Bench) -> int:
    """How many more Pods like a task's fit on the nodes, by their requests and by the nodes' own limit of Pods."""
    wanted = requested(await bench.task_pod())
    cluster = Namespace(bench.namespace)
    live = cluster.get("pods", "--all-namespaces", "--field-selector", "status.phase!=Succeeded,status.phase!=Failed")
    return sum(_on(node, live, wanted) for node in cluster.get("nodes"))


def _on(node: Any, pods: Iterable[Any], wanted: Mapping[str, Decimal]) -> int:
    offered = node["status"]["allocatable"]
    here = [pod for pod in pods if pod["spec"].get("nodeName") == node["metadata"]["name"]]
    fits = [int(offered["pods"]) - len(here)]
    for resource in RESOURCES:
        free = quantity(offered[resource]) - sum(requested(pod)[resource] for pod in here)
        if wanted[resource]:
            fits.append(int(free / wanted[resource]))
    return max(0, min(fits))


def requested(pod: Any) -> dict[str, Decimal]:
    """What a Pod's containers request together."""
    asked = [container.get("resources", {}).get("requests", {}) for container in pod["spec"]["containers"]]
    return {name: sum((quantity(each.get(name, "0")) for each in asked), Decimal(0)) for name in RESOURCES}


def quantity(text: str) -> Decimal:
    """A quantity as Kubernetes writes it: 250m, 64Mi."""
    number = text.rstrip("".join({letter for unit in UNITS for letter in unit}))
    return Decimal(number) * UNITS.get(text.removeprefix(number), 1)
