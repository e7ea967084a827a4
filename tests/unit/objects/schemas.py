"""Generated schemas, and what an API server would say of an object by them. CEL is left to a real one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema

from skerry_objects.crds import DEFINITIONS, Definition, definition

Json = dict[str, Any]
OPEN = "x-kubernetes-preserve-unknown-fields"


def definition_of(kind: str) -> Definition:
    (found,) = (entry for entry in DEFINITIONS if entry.kind == kind)
    return found


def version_of(kind: str) -> Json:
    version: Json = definition(definition_of(kind))["spec"]["versions"][0]
    return version


def schema_of(kind: str) -> Json:
    schema: Json = version_of(kind)["schema"]["openAPIV3Schema"]
    return schema


def part_of(kind: str, path: str) -> Json:
    """The schema of a field such as `spec.env[].name`."""
    node = schema_of(kind)
    for step in path.split("."):
        node = node["properties"][step.removesuffix("[]")]
        node = node["items"] if step.endswith("[]") else node
    return node


def nodes(schema: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    yield path, schema
    for name, node in schema.get("properties", {}).items():
        yield from nodes(node, f"{path}.{name}".lstrip("."))
    for part in ("items", "additionalProperties"):
        if isinstance(schema.get(part), dict):
            yield from nodes(schema[part], f"{path}[]")


def rules(schema: Json) -> list[str]:
    """The messages of its CEL rules."""
    return [rule["message"] for rule in schema.get("x-kubernetes-validations", ())]


def problems(kind: str, spec: Json) -> list[str]:
    """What is wrong with a spec, types and lists; unknown fields too, as kubectl asks for."""
    schema = schema_of(kind)["properties"]["spec"]
    return [error.message for error in _Validator(schema).iter_errors(spec)] + list(_unknown(schema, spec))


def _unknown(schema: Json, value: Any, path: str = "spec") -> Iterator[str]:
    if isinstance(value, list):
        for entry in value:
            yield from _unknown(schema["items"], entry, f"{path}[]")
    if not isinstance(value, dict) or "additionalProperties" in schema:
        return
    known = schema.get("properties", {})
    for key, entry in value.items():
        if key in known:
            yield from _unknown(known[key], entry, f"{path}.{key}")
        elif not schema.get(OPEN):
            yield f"unknown field {path}.{key}"


def _has_distinct_keys(validator: Any, keys: list[str], entries: Any, schema: Json) -> Iterator[Any]:
    listed = entries if isinstance(entries, list) else []
    found = [tuple(entry.get(key) for key in keys) for entry in listed if isinstance(entry, dict)]
    if len(set(found)) != len(found):
        yield jsonschema.ValidationError("duplicate entry")


def _is_number_or_text(validator: Any, wanted: bool, value: Any, schema: Json) -> Iterator[Any]:
    if isinstance(value, bool) or not isinstance(value, int | str):
        yield jsonschema.ValidationError("neither integer nor text")


# The one draft with a Boolean exclusiveMinimum, as OpenAPI 3.0 has it.
_Validator: Any = jsonschema.validators.extend(
    jsonschema.Draft4Validator,
    {"x-kubernetes-list-map-keys": _has_distinct_keys, "x-kubernetes-int-or-string": _is_number_or_text},
)
