"""The custom resource definitions, generated from the typed classes: `python -m skerry_objects.crds FOLDER`.

A structural schema (every node has a type, nothing is a reference) with descriptions, the rules that types cannot say as CEL
(`rules`), printer columns, `/status`, and `/scale` for pools.
https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from skerry_objects.models import Model
from skerry_objects.names import GROUP, VERSION
from skerry_objects.rules import VALIDATIONS, Rule
from skerry_objects.runner_pools import RunnerPoolSpec, RunnerPoolStatus
from skerry_objects.task_runs import TaskRunSpec, TaskRunStatus
from skerry_objects.workflows import SLUG, WorkflowSpec, WorkflowStatus

Json = dict[str, Any]

_KEPT = (
    "type",
    "description",
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "format",
    "default",
)
_EXTENSION = "x-kubernetes-"
_OPEN = "x-kubernetes-preserve-unknown-fields"


@dataclass(frozen=True, slots=True)
class Definition:
    """One kind, and what its definition has beyond the schema."""

    kind: str
    plural: str
    singular: str
    short: str
    description: str
    spec: type[Model]
    status: type[Model]
    columns: Sequence[tuple[str, str, str, int]]
    selectable: Sequence[str] = ()
    rules: Sequence[Rule] = ()
    scale: Mapping[str, str] | None = None
    status_defaults: Mapping[str, Any] = field(default_factory=dict)


DEFINITIONS = (
    Definition(
        kind="TaskRun",
        plural="taskruns",
        singular="taskrun",
        short="tr",
        description="One run of a task, and the Pod of its present attempt. Deleting it cancels the run.",
        spec=TaskRunSpec,
        status=TaskRunStatus,
        columns=(
            ("Task", ".spec.task", "string", 0),
            ("Plan", ".spec.plan", "string", 0),
            ("Phase", ".status.phase", "string", 0),
            ("Attempt", ".spec.attempt", "integer", 0),
            ("Reason", ".status.reason", "string", 0),
            ("Started", ".status.startedAt", "date", 0),
            ("Age", ".metadata.creationTimestamp", "date", 0),
            ("Finished", ".status.finishedAt", "date", 1),
            ("Pod", ".status.podName", "string", 1),
            ("Node", ".status.node", "string", 1),
            ("Workflow", ".spec.workflow", "string", 1),
            ("Run", ".spec.runID", "string", 1),
        ),
        selectable=(".status.phase", ".spec.workflow", ".spec.version", ".spec.task"),
        # What kubectl shows before the operator has written anything: one write less for each run.
        status_defaults={"phase": "Pending"},
    ),
    Definition(
        kind="RunnerPool",
        plural="runnerpools",
        singular="runnerpool",
        short="rp",
        description="Runners of one version and plan: how their Pods are made, and how many wait for work.",
        spec=RunnerPoolSpec,
        status=RunnerPoolStatus,
        columns=(
            ("Workflow", ".spec.workflow", "string", 0),
            ("Plan", ".spec.plan", "string", 0),
            ("Wanted", ".spec.replicas", "integer", 0),
            ("Idle", ".status.idle", "integer", 0),
            ("Claimed", ".status.claimed", "integer", 0),
            ("Age", ".metadata.creationTimestamp", "date", 0),
            ("Version", ".spec.version", "string", 1),
            ("Image", ".spec.template.image", "string", 1),
        ),
        selectable=(".spec.workflow", ".spec.version", ".spec.plan"),
        scale={
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        },
    ),
    Definition(
        kind="Workflow",
        plural="workflows",
        singular="workflow",
        short="wf",
        description="A deployed application: a named set of tasks from one image.",
        spec=WorkflowSpec,
        status=WorkflowStatus,
        columns=(
            ("Ready", '.status.conditions[?(@.type=="Ready")].status', "string", 0),
            ("Reason", '.status.conditions[?(@.type=="Ready")].reason', "string", 0),
            ("Image", ".spec.image", "string", 0),
            ("Age", ".metadata.creationTimestamp", "date", 0),
            ("Version", ".status.version", "string", 1),
            ("Message", '.status.conditions[?(@.type=="Ready")].message', "string", 1),
        ),
        rules=(SLUG,),
    ),
)


def definition(of: Definition) -> Json:
    """The CustomResourceDefinition of one kind."""
    names = {
        "kind": of.kind,
        "listKind": f"{of.kind}List",
        "plural": of.plural,
        "singular": of.singular,
        "shortNames": [of.short],
        "categories": ["skerry"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{of.plural}.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [_version(of)]},
    }


def _version(of: Definition) -> Json:
    version: Json = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _schema(of)},
        "subresources": {"status": {}, **({"scale": dict(of.scale)} if of.scale else {})},
        "additionalPrinterColumns": [
            {"name": name, "jsonPath": path, "type": kind, "priority": priority}
            for name, path, kind, priority in of.columns
        ],
    }
    if of.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in of.selectable]
    return version


def _schema(of: Definition) -> Json:
    spec, status = structural(of.spec), structural(of.status)
    for name, value in of.status_defaults.items():
        status["properties"][name]["default"] = value
    if of.status_defaults:
        # A default inside an object counts only where the object is there.
        status["default"] = {}
    return {
        "type": "object",
        "description": of.description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
        **({VALIDATIONS: [rule.to_json() for rule in of.rules]} if of.rules else {}),
    }


def structural(model: type[Model]) -> Json:
    """The structural schema of a class."""
    schema = model.model_json_schema(by_alias=True)
    return _node(schema, schema.get("$defs", {}))


def _node(schema: Mapping[str, Any], parts: Mapping[str, Any]) -> Json:
    schema = _resolved(schema, parts)
    node: Json = {key: schema[key] for key in _KEPT if key in schema}
    if node.get("default") in (None, [], {}) or isinstance(node.get("default"), dict):
        node.pop("default", None)
    if "exclusiveMinimum" in schema:
        node |= {"minimum": schema["exclusiveMinimum"], "exclusiveMinimum": True}
    if "const" in schema:
        node["enum"] = [schema["const"]]
    if node.get("format") == "date-time" and node.get("type") is None:
        node["type"] = "string"
    node |= {key: value for key, value in schema.items() if key.startswith(_EXTENSION)}
    if node.get("type") == "array":
        node["items"] = _node(schema.get("items", {}), parts)
    if node.get("type") == "object":
        _describe_object(node, schema, parts)
    return node


def _describe_object(node: Json, schema: Mapping[str, Any], parts: Mapping[str, Any]) -> None:
    if "properties" in schema:
        node["properties"] = {name: _node(value, parts) for name, value in schema["properties"].items()}
        if schema.get("required"):
            node["required"] = list(schema["required"])
    values = schema.get("additionalProperties")
    if isinstance(values, Mapping) and values:
        node["additionalProperties"] = _node(values, parts)
    elif values or "properties" not in schema:
        node[_OPEN] = True


def _resolved(schema: Mapping[str, Any], parts: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema without references and without null: what is optional is left out instead."""
    if "$ref" in schema:
        part = parts[schema["$ref"].rpartition("/")[2]]
        return {**_resolved(part, parts), **{key: value for key, value in schema.items() if key != "$ref"}}
    if "anyOf" in schema:
        (present,) = (option for option in schema["anyOf"] if option.get("type") != "null")
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        return {**_resolved(present, parts), **rest}
    return schema


def main(folder: str) -> int:
    """Write one file for each kind into `folder`."""
    for of in DEFINITIONS:
        text = yaml.safe_dump(definition(of), sort_keys=False, width=120)
        Path(folder, f"{of.plural}.yaml").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
