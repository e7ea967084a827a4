"""ServiceMonitors, alerts and dashboard ask only for metrics that exist."""

import json
import re

import pytest
from prometheus_client import Metric

from skerry_api.domain.states import HOPELESS_REASONS, INFRASTRUCTURE_REASONS, RunStatus
from skerry_api.engine.telemetry import Telemetry
from skerry_api.executors.kubernetes.metrics import Metrics as ExecutorMetrics
from skerry_api.storage.databases import Database
from skerry_operator.metrics import Metrics
from tests.unit.charts.renders import NAMESPACE, Rendered


class _Writer:
    batches = 0
    writes = 0


@pytest.fixture(scope="module")
def metrics() -> dict[str, tuple[str, ...]]:
    """The labels of every series that control plane and operator have, by the name that Prometheus gives it."""
    telemetry = Telemetry(Database("postgresql://nobody@127.0.0.1:1/none"), _Writer())  # type: ignore[arg-type]
    found: dict[str, tuple[str, ...]] = {}
    registries = [telemetry.registry, Metrics().registry, ExecutorMetrics().registry]
    for collector in [collector for registry in registries for collector in registry._collector_to_names]:
        (metric,) = collector.describe() if hasattr(collector, "describe") else collector.collect()
        labels = tuple(getattr(collector, "_labelnames", ()))
        found |= dict.fromkeys(_series(metric), labels)
    return found


def _series(metric: Metric) -> list[str]:
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(metric.type, [""])
    return [metric.name + suffix for suffix in suffixes]


def expressions(production: Rendered) -> list[str]:
    (rule,) = production.all("PrometheusRule")
    alerts = [alert["expr"] for group in rule["spec"]["groups"] for alert in group["rules"]]
    dashboard = json.loads(production.one("ConfigMap", "skerry-dashboard")["data"]["skerry.json"])
    shown = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked = [variable["query"] for variable in dashboard["templating"]["list"] if variable["type"] == "query"]
    return alerts + shown + asked


def test_only_metrics_and_labels_that_exist_are_asked_for(
    production: Rendered, metrics: dict[str, tuple[str, ...]]
) -> None:
    everywhere = {"namespace", "job", "pod", "le"}
    for expression in expressions(production):
        names = re.findall(r"\bskerry_[a-z_]+", expression)
        assert names or "up{" in expression, expression
        known = set().union(*(metrics[name] for name in names)) | everywhere
        asked = set(re.findall(r'(\w+)(?:=|!=|=~)"', expression))
        grouped = {label.strip() for labels in re.findall(r"by \(([^)]*)\)", expression) for label in labels.split(",")}
        assert asked | grouped <= known, expression


def test_brackets_match(production: Rendered) -> None:
    for expression in expressions(production):
        for opening, closing in ("()", "[]", "{}"):
            assert expression.count(opening) == expression.count(closing), expression


def test_values_of_labels_are_ones_that_occur(production: Rendered) -> None:
    text = " ".join(expressions(production))
    (reasons,) = set(re.findall(r'reason=~"([^"]*)"', text))
    assert set(reasons.split("|")) == {reason.value for reason in INFRASTRUCTURE_REASONS | HOPELESS_REASONS}
    assert set(re.findall(r'status="([^"]*)"', text)) <= {status.value for status in RunStatus}


def test_monitors_find_the_services(production: Rendered) -> None:
    monitors = production.all("ServiceMonitor")
    assert {monitor["metadata"]["name"] for monitor in monitors} == {"skerry-control-plane", "skerry-operator"}
    for monitor in monitors:
        service = production.one("Service", monitor["metadata"]["name"])
        assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert monitor["spec"]["namespaceSelector"] == {"matchNames": [NAMESPACE]}
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint["port"] in [port["name"] for port in service["spec"]["ports"]]
        assert monitor["metadata"]["labels"]["release"] == "prometheus"


def test_alerts_say_what_to_do(production: Rendered) -> None:
    (rule,) = production.all("PrometheusRule")
    for alert in (alert for group in rule["spec"]["groups"] for alert in group["rules"]):
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert alert["labels"]["team"] == "platform"
        assert alert["annotations"]["summary"]
        assert alert["annotations"]["description"]


def test_a_dashboard_is_found_by_its_label(production: Rendered) -> None:
    assert production.one("ConfigMap", "skerry-dashboard")["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_nothing_of_it_is_there_unless_asked(defaults: Rendered) -> None:
    assert not defaults.all("ServiceMonitor")
    assert not defaults.all("PrometheusRule")
    assert not defaults.has("ConfigMap", "skerry-dashboard")
