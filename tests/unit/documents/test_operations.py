"""docs/operations.md explains every word that control plane, operator and chart can show to whoever runs them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Metric

from skerry_api.engine.telemetry import Telemetry
from skerry_api.executors.kubernetes.metrics import Metrics as ExecutorMetrics
from skerry_api.executors.kubernetes.registrations import Registering
from skerry_api.storage.databases import Database
from skerry_objects.task_runs import Reason
from skerry_operator.metrics import Metrics as OperatorMetrics
from tests.unit.documents.pages import CHART, OPERATIONS, words


class _Writer:
    batches = 0
    writes = 0


@pytest.fixture(scope="module")
def series() -> dict[str, tuple[str, ...]]:
    """The labels of every metric, by its name in a query."""
    telemetry = Telemetry(Database("postgresql://nobody@127.0.0.1:1/none"), _Writer())  # type: ignore[arg-type]
    registries = (telemetry.registry, ExecutorMetrics().registry, OperatorMetrics().registry)
    return dict(found for registry in registries for found in _series(registry))


def _series(registry: CollectorRegistry) -> Iterator[tuple[str, tuple[str, ...]]]:
    for collector in registry._collector_to_names:
        described: Metric
        (described,) = collector.describe() if hasattr(collector, "describe") else collector.collect()
        suffix = "_total" if described.type == "counter" else ""
        yield described.name + suffix, tuple(getattr(collector, "_labelnames", ()))


def test_metrics_are_explained_with_their_labels(series: dict[str, tuple[str, ...]]) -> None:
    shown = {name + (f"{{{','.join(labels)}}}" if labels else "") for name, labels in series.items()}
    assert shown - words(OPERATIONS) == set()


def test_metrics_that_are_explained_exist(series: dict[str, tuple[str, ...]]) -> None:
    named = {word.partition("{")[0] for word in words(OPERATIONS) if word.startswith("skerry_")}
    assert named - series.keys() == set()


def test_every_reason_has_a_row_in_the_table_of_reasons() -> None:
    table = OPERATIONS.read_text().partition("### Reasons of a TaskRun")[2]
    rows = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert sorted(rows) == sorted(Reason)


def test_every_alert_is_listed() -> None:
    alerts = re.findall(r"alert: (\w+)", (CHART / "templates" / "monitoring" / "alerts.yaml").read_text())
    listed = re.findall(r"^\| `(Skerry\w+)` \|", OPERATIONS.read_text(), re.MULTILINE)
    assert listed == alerts


def test_a_release_that_goes_on_is_explained() -> None:
    assert Registering().reason in words(OPERATIONS)
