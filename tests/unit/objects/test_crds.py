"""The definitions are structural, described throughout, and take what the classes write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from skerry_api.domain.plans import plan_named
from skerry_api.executors.kubernetes import templates
from skerry_objects.crds import DEFINITIONS, Definition, definition

IDS = [entry.kind for entry in DEFINITIONS]


def schema_of(entry: Definition) -> dict[str, Any]:
    schema: dict[str, Any] = definition(entry)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, node in schema.get("properties", {}).items():
        yield from nodes(node, f"{path}.{name}")
    for part in ("items", "additionalProperties"):
        if isinstance(schema.get(part), dict):
            yield from nodes(schema[part], f"{path}[]")


@pytest.mark.parametrize("entry", DEFINITIONS, ids=IDS)
def test_schemas_are_structural(entry: Definition) -> None:
    for path, node in nodes(schema_of(entry)):
        assert "type" in node, path
        assert not {"$ref", "anyOf", "allOf", "title", "nullable"} & node.keys(), path


@pytest.mark.parametrize("entry", DEFINITIONS, ids=IDS)
def test_every_field_is_described(entry: Definition) -> None:
    top = schema_of(entry)
    for part in ("spec", "status"):
        for path, node in nodes(top["properties"][part]):
            if path and not path.endswith("]") and "lastTransitionTime" not in path:
                assert node.get("description"), f"{entry.kind} {part}{path}"


def test_what_the_control_plane_writes_has_no_key_the_schema_lacks() -> None:
    source = {"image": "shop:1", "app": "main:app", "env": [{"name": "A", "value": "b"}]}
    pool = templates.runner_pool(
        "shop", "wfv-1", plan_named("pro_plus"), source, templates.PodDefaults("runner"), replicas=1
    )
    written = pool.to_json()["spec"]
    (entry,) = (entry for entry in DEFINITIONS if entry.kind == "RunnerPool")
    known = schema_of(entry)["properties"]["spec"]["properties"]
    assert written.keys() <= known.keys()
    assert written["template"].keys() <= known["template"]["properties"].keys()
    assert written["template"]["resources"]["limits"] == {"cpu": "4000m", "memory": "8192Mi"}
