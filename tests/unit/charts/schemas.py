"""What the API server of a release would say of an object's form; unknown fields are mistakes."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import resources
from typing import Any

import jsonschema
from referencing import Registry, Resource

# The package kubernetes-validate brings them. Its own function reads all definitions of a release again for every object,
# some hundred milliseconds each.
_SCHEMAS = resources.files("kubernetes_validate") / "kubernetes-json-schema"


def validate(item: dict[str, Any], release: str) -> None:
    """Check an object against a release such as 1.34.

    Raises:
        jsonschema.ValidationError: it is not as it must be.
    """
    # rbac.authorization.k8s.io/v1 is in files called …-rbac-v1.json.
    version = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", item["apiVersion"])
    _validator(release, f"{item['kind'].lower()}-{version}.json").validate(item)


@cache
def _validator(release: str, name: str) -> jsonschema.Draft202012Validator:
    schema = _load(release, name)
    return jsonschema.Draft202012Validator(schema, registry=Resource.from_contents(schema) @ _definitions(release))


@cache
def _definitions(release: str) -> Registry[Any]:
    definitions = Resource.from_contents(_load(release, "_definitions.json"))
    return (definitions @ Registry()).crawl()


def _load(release: str, name: str) -> Any:
    (folder,) = [
        entry for entry in _SCHEMAS.iterdir() if re.fullmatch(rf"v{re.escape(release)}\.\d+-local-strict", entry.name)
    ]
    return json.loads((folder / name).read_text())
