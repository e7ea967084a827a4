"""values.yaml, its schema and its documentation say the same, and a typo is refused."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml

from tests.unit.charts.documents import comments
from tests.unit.charts.renders import CHART, Helm, Refused

Path = tuple[str, ...]

VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    for reference in [schema, *schema.get("allOf", ())]:
        if "$ref" in reference:
            found = SCHEMA["definitions"][reference["$ref"].rpartition("/")[2]]
            return {**resolve(found), **{key: value for key, value in schema.items() if key == "description"}}
    return schema


def described(schema: dict[str, Any], path: Path = ()) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every value that the schema of values.yaml names, by path; not what is passed through."""
    for key, reference in schema.get("properties", {}).items():
        part = resolve(reference)
        yield (*path, key), part
        if "$ref" not in json.dumps(reference.get("allOf", reference.get("$ref", ""))) and "properties" in reference:
            yield from described(reference, (*path, key))


def given(values: dict[str, Any], known: dict[Path, dict[str, Any]], path: Path = ()) -> Iterator[Path]:
    """Every value of values.yaml down to where the schema stops naming them."""
    for key, value in values.items():
        yield (*path, key)
        if isinstance(value, dict) and any(other[:-1] == (*path, key) for other in known):
            yield from given(value, known, (*path, key))


KNOWN = dict(described(SCHEMA))
GIVEN = list(given(VALUES, KNOWN))


def test_the_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)


def test_schema_and_values_name_the_same() -> None:
    assert set(KNOWN) - {("global",)} == set(GIVEN)


def test_every_value_has_a_comment_and_the_schema_repeats_it() -> None:
    words = comments((CHART / "values.yaml").read_text())
    for path in GIVEN:
        is_group = any(other[:-1] == path for other in KNOWN)
        assert is_group or words[path], f"{'.'.join(path)} has no comment in values.yaml"
        if words[path]:
            assert KNOWN[path].get("description") == words[path], f"description of {'.'.join(path)} in the schema"


def test_nothing_is_open_unless_it_is_passed_through() -> None:
    for path, part in KNOWN.items():
        if part.get("type") == "object" and path != ("global",):
            passed = path[-1] == "affinity" or path[-1].casefold().endswith("securitycontext")
            assert "additionalProperties" in part or passed, ".".join(path)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("replicas=3", "replicas"),
        ("controlPlane.replica=3", "replica"),
        ("controlPlane.settings.leaseSecond=3", "leaseSecond"),
        ("controlPlane.settings.pollSeconds=11", "pollSeconds"),
        ('controlPlane.logLevel="verbose"', "logLevel"),
        ('controlPlane.resources.request={"cpu": "1"}', "request"),
        ("operator.concurrency=0", "concurrency"),
        ('tasks.namespace="Tasks"', "namespace"),
        ('tasks.template={"nodeSelecter": {}}', "nodeSelecter"),
        ("tasks.cpuRequestRatio=1.5", "cpuRequestRatio"),
        ('tasks.warm.idleRequests={"cpu": "-1"}', "idleRequests"),
        ('tasks.warm.idleRequests={"gpu": 1}', "gpu"),
        ('plans={"huge": {"cpu": "64"}}', "memory"),
        ('plans={"huge": {"cpu": "64", "memory": "64"}}', "memory"),
        ('plans={"Huge": {"cpu": "64", "memory": "64Gi"}}', "Huge"),
        ('postgres.persistence.enabled="yes"', "enabled"),
        ('networkPolicy.apiServerPorts=["https"]', "apiServerPorts"),
        ('database.url="postgresql://u:p@h/d"', "url"),
        ('metrics.serviceMonitor.interval="often"', "interval"),
    ],
)
def test_a_mistake_is_refused_and_named(helm: Helm, setting: str, words: str) -> None:
    with pytest.raises(Refused, match=re.escape(words)):
        helm.render(setting)


def test_helm_refuses_it_too_where_a_parent_chart_passes_values(helm: Helm) -> None:
    assert helm.render('global={"anything": 1}')


def test_the_chart_has_a_version_and_says_which_kubernetes_it_needs() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert re.fullmatch(r"\d+\.\d+\.\d+", chart["version"])
    assert chart["kubeVersion"]
