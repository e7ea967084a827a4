"""The definitions are structural, described throughout, and take what the classes write."""

from __future__ import annotations

import re

import pytest

from skerry_api.domain.plans import plan_named
from skerry_api.domain.tasks import SLUG as ACCEPTED_SLUG
from skerry_api.executors.kubernetes import templates
from skerry_objects.crds import DEFINITIONS, definition
from skerry_objects.workflows import SLUG
from tests.unit.objects.schemas import OPEN, nodes, part_of, problems, rules, schema_of, version_of

KINDS = [entry.kind for entry in DEFINITIONS]
# https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#selectable-fields
MOST_SELECTABLE = 8


@pytest.mark.parametrize("kind", KINDS)
def test_schemas_are_structural(kind: str) -> None:
    for path, node in nodes(schema_of(kind)):
        assert ("type" in node) != bool(node.get("x-kubernetes-int-or-string")), path
        assert not {"$ref", "anyOf", "allOf", "title", "nullable"} & node.keys(), path


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_described(kind: str) -> None:
    top = schema_of(kind)
    assert top["description"]
    for part in ("spec", "status"):
        for path, node in nodes(top["properties"][part]):
            if not path.endswith("]"):
                assert node.get("description"), f"{kind} {part}.{path}"


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_kubernetes_defines_is_open(kind: str) -> None:
    allowed = {"envFrom[]", "tolerations[]", "volumes[]", "volumeMounts[]", "env[].valueFrom"}
    for path, node in nodes(schema_of(kind)):
        if node.get(OPEN):
            assert any(path.endswith(f".{field}") for field in allowed), path


@pytest.mark.parametrize("kind", KINDS)
def test_conditions_are_told_apart_by_their_type(kind: str) -> None:
    conditions = part_of(kind, "status.conditions")
    assert (conditions["x-kubernetes-list-type"], conditions["x-kubernetes-list-map-keys"]) == ("map", ["type"])


@pytest.mark.parametrize("kind", KINDS)
def test_keys_of_lists_are_required(kind: str) -> None:
    """Else the API server refuses the definition."""
    for path, node in nodes(schema_of(kind)):
        assert set(node.get("x-kubernetes-list-map-keys", ())) <= set(node.get("items", {}).get("required", ())), path


@pytest.mark.parametrize("kind", KINDS)
def test_columns_and_selectable_fields_are_fields(kind: str) -> None:
    version = version_of(kind)
    columns = [column["jsonPath"] for column in version["additionalPrinterColumns"]]
    selectable = [field["jsonPath"] for field in version.get("selectableFields", ())]
    assert len(selectable) <= MOST_SELECTABLE
    for path in [*columns, *selectable]:
        if not path.startswith(".metadata"):
            assert part_of(kind, re.sub(r"\[\?.*?\]", "[]", path).removeprefix(".")), path


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("TaskRun", {".status.phase", ".spec.workflow", ".spec.version", ".spec.task"}),
        ("RunnerPool", {".spec.workflow", ".spec.version", ".spec.plan"}),
    ],
)
def test_selectable_fields(kind: str, fields: set[str]) -> None:
    assert {field["jsonPath"] for field in version_of(kind)["selectableFields"]} == fields


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ("a", True),
        ("shop", True),
        ("shop-2", True),
        ("2-shop", True),
        ("a" * 63, True),
        ("a" * 64, False),
        ("shop.v1", False),
        ("shop-", False),
        ("-shop", False),
        ("Shop", False),
        ("shop_2", False),
        ("", False),
    ],
)
def test_a_workflow_has_a_name_that_the_control_plane_accepts(name: str, accepted: bool) -> None:
    assert bool(ACCEPTED_SLUG.match(name)) is accepted
    found = re.fullmatch(r"size\(self\.metadata\.name\) <= (\d+) && self\.metadata\.name\.matches\('(.*)'\)", SLUG.cel)
    assert found is not None
    assert (len(name) <= int(found[1]) and re.search(found[2], name) is not None) is accepted
    assert rules(schema_of("Workflow")) == [SLUG.message]


def test_a_run_is_shown_as_pending_before_anything_was_written() -> None:
    assert (part_of("TaskRun", "status")["default"], part_of("TaskRun", "status.phase")["default"]) == ({}, "Pending")


@pytest.mark.parametrize("entry", DEFINITIONS, ids=KINDS)
def test_names(entry: object) -> None:
    made = definition(entry)  # type: ignore[arg-type]
    assert made["metadata"]["name"] == f"{made['spec']['names']['plural']}.skerry.dev"
    assert made["spec"]["names"]["categories"] == ["skerry"]


def test_what_the_control_plane_writes_is_accepted() -> None:
    source = {"image": "shop:1", "app": "main:app", "env": [{"name": "A", "value": "b"}]}
    pool = templates.runner_pool(
        "shop", "wfv-1", plan_named("pro_plus"), source, templates.PodDefaults("runner"), replicas=1
    )
    written = pool.to_json()["spec"]
    assert problems("RunnerPool", written) == []
    assert written["template"]["resources"]["limits"] == {"cpu": "4000m", "memory": "8192Mi"}
