"""The chart renders to objects that Kubernetes takes, whatever the values."""

import copy
import itertools
import re
from pathlib import Path

import jsonschema
import pytest

from tests.unit.charts import schemas
from tests.unit.charts.conftest import SAMPLES
from tests.unit.charts.renders import CHART, NAMESPACE, Helm, Refused, Rendered

KUBERNETES = ["1.30", "1.34", "1.36"]
# Known only where the Prometheus operator is.
FOREIGN = {"ServiceMonitor", "PrometheusRule"}
SWITCHES = [
    "postgres.enabled",
    "postgres.persistence.enabled",
    "migrations.enabled",
    "adminKey.enabled",
    "networkPolicy.enabled",
    "tasks.createNamespace",
    "rbac.create",
]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem if path else "defaults")
def test_lint_finds_nothing(helm: Helm, path: Path | None) -> None:
    output = helm.run("lint", "--strict", str(CHART), *(["--values", str(path)] if path else []))
    assert "0 chart(s) failed" in output
    assert "[WARNING]" not in output


@pytest.mark.parametrize("version", KUBERNETES)
def test_everything_is_valid(sample: Rendered, version: str) -> None:
    check(sample, version)


@pytest.mark.parametrize("on", list(itertools.product([True, False], repeat=3)), ids=str)
@pytest.mark.parametrize("rest", [True, False])
def test_every_combination_of_switches_is_valid(helm: Helm, on: tuple[bool, ...], rest: bool) -> None:
    chosen = dict(zip(SWITCHES, (*on, rest, not rest, rest, not rest), strict=True))
    settings = [f"{name}={str(value).lower()}" for name, value in chosen.items()] + ['tasks.namespace="elsewhere"']
    if not chosen["postgres.enabled"]:
        settings.append('database.existingSecret="database"')
    check(helm.render(*settings), "1.34")


def test_an_unknown_field_would_be_found(defaults: Rendered) -> None:
    item = copy.deepcopy(defaults.one("Deployment", "skerry-operator"))
    item["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(jsonschema.ValidationError, match="readynessProbe"):
        schemas.validate(item, "1.34")


def check(rendered: Rendered, version: str) -> None:
    for item in rendered:
        if item["kind"] not in FOREIGN:
            schemas.validate(item, version)


def test_no_two_objects_have_one_name(sample: Rendered) -> None:
    names = [(item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]) for item in sample]
    assert len(names) == len(set(names))


def test_names_are_labels_too(sample: Rendered) -> None:
    for item in sample:
        if item["kind"] != "CustomResourceDefinition":
            assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", item["metadata"]["name"])


def test_every_object_says_where_it_is_and_what_it_belongs_to(sample: Rendered) -> None:
    everywhere = {"CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "Namespace"}
    for item in sample:
        assert ("namespace" in item["metadata"]) == (item["kind"] not in everywhere)
        labels = item["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == "skerry"
        assert labels["app.kubernetes.io/part-of"] == "skerry"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert labels["app.kubernetes.io/component"]


def test_selectors_find_their_pods_and_no_others(sample: Rendered) -> None:
    labels = [metadata["labels"] for _, metadata, _ in sample.pods()]
    for item in sample:
        if item["kind"] in {"Deployment", "StatefulSet", "PodDisruptionBudget"}:
            selector = item["spec"]["selector"]["matchLabels"]
        elif item["kind"] == "Service":
            selector = item["spec"]["selector"]
        else:
            continue
        assert sum(selector.items() <= each.items() for each in labels) == 1


def test_the_charts_own_labels_win(helm: Helm) -> None:
    rendered = helm.render(values=[CHART / "ci" / "everything-values.yaml"])
    for item in rendered:
        assert item["metadata"]["labels"]["team"] == "platform"
        assert item["metadata"]["labels"]["app.kubernetes.io/name"] == "durable"
        assert item["metadata"]["annotations"]["example.com/owner"] == "platform"


def test_every_release_has_its_own_names(helm: Helm) -> None:
    assert {item["metadata"]["name"] for item in helm.render('fullnameOverride="other"', "crds.install=false")} == {
        item["metadata"]["name"].replace("skerry", "other").replace(f"{NAMESPACE}-skerry", f"{NAMESPACE}-other")
        for item in helm.render("crds.install=false")
    }


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (['database.existingSecret="x"'], "two databases"),
        (["postgres.enabled=false"], "no database"),
        (['plans={"standard": null}'], 'no "standard"'),
        (["tasks.createNamespace=true"], "namespace of its own"),
        (["ingress.enabled=true"], "needs ingress.hosts"),
        (["metrics.prometheusRule.enabled=true"], "serviceMonitor.enabled=true"),
    ],
)
def test_what_does_not_go_together_is_refused_with_a_way_out(helm: Helm, settings: list[str], words: str) -> None:
    with pytest.raises(Refused, match=words):
        helm.render(*settings)


def test_an_old_cluster_is_refused(helm: Helm) -> None:
    with pytest.raises(Refused, match=r"requires kubeVersion: >=1\.30"):
        helm.render(kubernetes="1.29.9")
