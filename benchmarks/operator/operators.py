"""A real `skerry-operator` process, asked through its own metrics."""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from benchmarks import stages
from benchmarks.operator import credentials
from benchmarks.operator.planes import NAMESPACE, Plane
from benchmarks.operator.workloads import URL
from benchmarks.processes import Child

START_SECONDS = 60
PART = "operator"


@dataclass(frozen=True)
class Operator:
    """One replica, started the way a Pod starts it."""

    child: Child
    port: int

    def metrics(self) -> dict[str, float]:
        """Its figures by name, those with a kind as `name/kind`; empty while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
                text = answer.read().decode()
        except (OSError, urllib.error.URLError):
            return {}
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                kind = sample.labels.get("kind")
                name = sample.name.removeprefix("skerry_operator_")
                found[f"{name}/{kind}" if kind else name] = sample.value
        return found

    def is_active(self) -> bool:
        """Whether it holds the Lease and has compared everything once."""
        found = self.metrics()
        return found.get("active") == 1 and found.get("resynced_timestamp_seconds", 0) > 0


def active(plane: Plane) -> Operator:
    """Start it, and wait until it acts.

    Raises:
        BenchmarkError: It ended, or does not act within `START_SECONDS`.
    """
    operator = started(plane)
    operator.child.wait_until(operator.is_active, START_SECONDS, "first comparison")
    return operator


def started(plane: Plane) -> Operator:
    """Start it as a part of the control plane; it may not act yet."""
    port = stages.free_port()
    environment = {
        "KUBECONFIG": str(plane.credentials.kubeconfig(credentials.OPERATOR)),
        "SKERRY_OPERATOR_NAMESPACE": NAMESPACE,
        "SKERRY_OPERATOR_LEASE_NAMESPACE": NAMESPACE,
        "SKERRY_OPERATOR_URL": URL,
        "SKERRY_OPERATOR_PORT": str(port),
    }
    command: list[str | Path] = [stages.PYTHON.parent / "skerry-operator"]
    return Operator(plane.start(PART, command, environment), port)
