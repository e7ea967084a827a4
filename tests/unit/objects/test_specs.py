"""What may be in a spec: the classes and the definitions made from them refuse the same mistakes, for the same reasons."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from skerry_objects import names
from skerry_objects.models import Model
from skerry_objects.runner_pools import RunnerPoolSpec
from skerry_objects.task_runs import TaskRunSpec
from skerry_objects.workflows import WorkflowSpec
from tests.unit.objects.schemas import nodes, part_of, problems, rules, schema_of

Json = dict[str, Any]

SPECS: dict[str, tuple[type[Model], Json]] = {
    "Workflow": (WorkflowSpec, {"image": "shop:1"}),
    "RunnerPool": (
        RunnerPoolSpec,
        {"workflow": "shop", "version": "wfv-1", "plan": "pro", "template": {"image": "shop:1"}},
    ),
    "TaskRun": (
        TaskRunSpec,
        {
            "runID": "trn-1",
            "workflow": "shop",
            "version": "wfv-1",
            "task": "build",
            "poolRef": "wfv-1-pro",
            "plan": "pro",
            "timeoutSeconds": 60,
        },
    ),
}
SECRET = {"secretKeyRef": {"name": "bank", "key": "token"}}
MOUNT = {"name": "data", "mountPath": "/data"}


def merged(kind: str, changes: Json) -> Json:
    return {**SPECS[kind][1], **changes}


def pool(**template: Any) -> tuple[str, Json]:
    return "RunnerPool", {"template": {"image": "shop:1", **template}}


def workflow(**spec: Any) -> tuple[str, Json]:
    return "Workflow", spec


def resources(cpu: Any) -> tuple[str, Json]:
    return pool(resources={"limits": {"cpu": cpu}})


ACCEPTED: list[tuple[str, Json]] = [
    *((kind, {}) for kind in SPECS),
    workflow(app="main:app"),
    workflow(app="examples.generation_loop.main:app", command=[]),
    workflow(command=["node", "main.js"]),
    workflow(image="registry.example.com:5000/team/shop:1@sha256:00"),
    workflow(concurrencyLimit=1_000_000),
    workflow(warm={"min": 2}),
    workflow(warm={"min": 2, "max": 2}),
    workflow(warm={"max": 3, "idleSeconds": 0}),
    workflow(env=[{"name": "A"}, {"name": "_b.c-1", "value": ""}, {"name": ".d", "valueFrom": SECRET}]),
    workflow(env=[{"name": "A", "value": "", "valueFrom": SECRET}]),
    workflow(env=[{"name": name, "value": "1"} for name in ("SKERRY_APP", "SKERRY_LOG_LEVEL", "skerry_url")]),
    workflow(envFrom=[{"prefix": "DB_", "secretRef": {"name": "database", "optional": True}}]),
    workflow(template={"nodeSelector": {"pool": "gpu"}, "resources": {"limits": {"nvidia.com/gpu": 1}}}),
    workflow(template={"tolerations": [{"key": "gpu", "operator": "Exists"}], "imagePullSecrets": [{"name": "r"}]}),
    workflow(template={"volumes": [{"name": "data", "emptyDir": {"sizeLimit": "1Gi"}}], "volumeMounts": [MOUNT]}),
    pool(volumeMounts=[MOUNT, {**MOUNT, "mountPath": "/more", "readOnly": True}]),
    pool(imagePullPolicy="Never", serviceAccountName="mine", runtimeClassName="gvisor", workingDir="/srv"),
    pool(labels={"team": "a"}, annotations={"note": "b"}),
    *(
        resources(cpu)
        for cpu in (0, 2, "2", "500m", "0.5", ".5", "1.", "+1", "2e3", "1E-3", "12Ei", "4G", "1E", "100n")
    ),
    ("RunnerPool", {"replicas": 3}),
    ("TaskRun", {"attempt": 2, "podName": "wfv-1-pro-abcde", "timeoutSeconds": 0.1}),
]

REFUSED: list[tuple[tuple[str, Json], str]] = [
    (workflow(image=""), "image"),
    (workflow(image="shop 1"), "image"),
    (workflow(image=" shop:1"), "image"),
    (workflow(app=""), "app"),
    (workflow(app="main"), "app"),
    (workflow(app="main:"), "app"),
    (workflow(app=":app"), "app"),
    (workflow(app="main: app"), "app"),
    (workflow(app="main:app:more"), "app"),
    (workflow(app="main:app", command=["node"]), "give app or command"),
    (workflow(command="node"), "command"),
    (workflow(concurrencyLimit=0), "concurrencyLimit"),
    (workflow(concurrencyLimit=1_000_001), "concurrencyLimit"),
    (workflow(warm={"min": -1}), "warm.min"),
    (workflow(warm={"min": 2, "max": 1}), "max must not be less than min"),
    (workflow(warm={"min": 2, "max": 0}), "max must not be less than min"),
    (workflow(env=[{"value": "1"}]), "name"),
    (workflow(env=[{"name": ""}]), "name"),
    (workflow(env=[{"name": "1A"}]), "name"),
    (workflow(env=[{"name": "A B"}]), "name"),
    (workflow(env=[{"name": "A=B"}]), "name"),
    (workflow(env=[{"name": "."}]), "name"),
    (workflow(env=[{"name": "..A"}]), "name"),
    (workflow(env=[{"name": "A" * 257}]), "name"),
    (workflow(env=[{"name": "A", "value": 1}]), "value"),
    (workflow(env=[{"name": "A", "value": "1", "valueFrom": SECRET}]), "give value or valueFrom"),
    (workflow(env=[{"name": "A", "valueFrom": {}}]), "valueFrom"),
    (workflow(env=[{"name": "A", "valueFrom": {**SECRET, "fieldRef": {"fieldPath": "a"}}}]), "valueFrom"),
    (workflow(env=[{"name": "A"}, {"name": "A", "value": "1"}]), "'A' is there twice"),
    (workflow(env=[{"name": f"A{number}"} for number in range(1001)]), "1000"),
    *(
        (workflow(env=[{"name": name, "value": "1"}]), "the operator sets this variable itself")
        for name in sorted(names.RUNNERS_VARIABLES)
    ),
    (pool(env=[{"name": "SKERRY_URL", "value": "http://evil"}]), "the operator sets this variable itself"),
    (workflow(envFrom=["database"]), "envFrom"),
    (workflow(template={"volumes": 3}), "volumes"),
    (workflow(template={"volumes": [{"emptyDir": {}}]}), "name is missing"),
    (workflow(template={"volumes": [{"name": "a"}, {"name": "a"}]}), "'a' is there twice"),
    (workflow(template={"volumeMounts": [{"name": "data"}]}), "mountPath is missing"),
    (workflow(template={"volumeMounts": [{"mountPath": "/data"}]}), "name is missing"),
    (workflow(template={"volumeMounts": [{**MOUNT, "mountPath": ""}]}), "mountPath is missing"),
    (workflow(template={"volumeMounts": [MOUNT, {**MOUNT, "name": "b"}]}), "'/data' is there twice"),
    (workflow(template={"imagePullSecrets": [{}]}), "name"),
    (workflow(template={"imagePullSecrets": [{"name": "r"}, {"name": "r"}]}), "'r' is there twice"),
    (workflow(template={"tolerations": ["gpu"]}), "tolerations"),
    (workflow(template={"nodeSelector": {"gpu": True}}), "nodeSelector"),
    (pool(image=""), "image"),
    (pool(app="main"), "app"),
    (pool(app="main:app", command=["node"]), "give app or command"),
    (pool(imagePullPolicy="Sometimes"), "imagePullPolicy"),
    *((resources(cpu), "limits.cpu") for cpu in ("", "-1", -1, "two", "1 Gi", "1GB", "1K", "1e", ".", True, 0.5)),
    (("RunnerPool", {"replicas": -1}), "replicas"),
    (("RunnerPool", {"workflow": "a" * 64}), "workflow"),
    (("TaskRun", {"attempt": 0}), "attempt"),
    (("TaskRun", {"timeoutSeconds": 0}), "timeoutSeconds"),
    (("TaskRun", {"podName": ""}), "podName"),
    *((("TaskRun", {field: ""}), field) for field in ("runID", "workflow", "version", "task", "poolRef", "plan")),
]


@pytest.mark.parametrize(("kind", "changes"), ACCEPTED, ids=str)
def test_accepted(kind: str, changes: Json) -> None:
    spec = merged(kind, changes)
    SPECS[kind][0].model_validate(spec)
    assert problems(kind, spec) == []


@pytest.mark.parametrize(("given", "words"), REFUSED, ids=lambda value: str(value)[:120])
def test_refused(given: tuple[str, Json], words: str) -> None:
    kind, changes = given
    with pytest.raises(ValidationError) as refused:
        SPECS[kind][0].model_validate(merged(kind, changes))
    assert words in str(refused.value)
    messages = {message for _, node in nodes(schema_of(kind)) for message in rules(node)}
    by_rule = any(message in str(refused.value) for message in messages)
    assert problems(kind, merged(kind, changes)) or by_rule, "the API server would take it"


@pytest.mark.parametrize(
    ("kind", "path", "words"),
    [
        ("Workflow", "spec", "give app or command"),
        ("RunnerPool", "spec.template", "give app or command"),
        ("Workflow", "spec.warm", "max must not be less"),
        ("Workflow", "spec.env[]", "give value or valueFrom"),
        ("RunnerPool", "spec.template.env[]", "give value or valueFrom"),
        ("Workflow", "spec.env[].name", "the operator sets this variable itself"),
        ("RunnerPool", "spec.template.env[].name", "the operator sets this variable itself"),
        *(
            ("TaskRun", f"spec.{field}", "this cannot change")
            for field in ("runID", "workflow", "version", "task", "poolRef", "plan", "timeoutSeconds")
        ),
        ("TaskRun", "spec.attempt", "followed by a later one"),
        *(("RunnerPool", f"spec.{field}", "this cannot change") for field in ("workflow", "version", "plan")),
    ],
)
def test_rules_are_where_they_belong(kind: str, path: str, words: str) -> None:
    (message,) = rules(part_of(kind, path))
    assert words in message


def test_what_retries_and_scaling_change_can_change() -> None:
    """The control plane raises `attempt` and forgets `podName`; people and the control plane scale pools."""
    for kind, path in (("TaskRun", "spec.podName"), ("RunnerPool", "spec.replicas"), ("RunnerPool", "spec.template")):
        assert not any("cannot change" in message for message in rules(part_of(kind, path)))


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"image": "shop:1", "imge": "shop:2"}, "spec.imge"),
        ({"image": "shop:1", "template": {"nodeSelecter": {}}}, "spec.template.nodeSelecter"),
        ({"image": "shop:1", "template": {"resources": {"limit": {}}}}, "spec.template.resources.limit"),
        ({"image": "shop:1", "env": [{"name": "A", "vlaue": "1"}]}, "spec.env[].vlaue"),
        ({"image": "shop:1", "template": {"imagePullSecrets": [{"name": "r", "key": "k"}]}}, "imagePullSecrets[].key"),
        # These have their place beside the template.
        *(
            ({"image": "shop:1", "template": {key: None}}, f"spec.template.{key}")
            for key in ("image", "app", "command", "env", "envFrom")
        ),
    ],
)
def test_a_typo_is_an_unknown_field(spec: Json, path: str) -> None:
    (problem,) = problems("Workflow", spec)
    assert problem.endswith(path)


def test_fields_of_a_newer_version_are_ignored() -> None:
    spec = WorkflowSpec.model_validate(
        {"image": "shop:1", "later": 1, "template": {"later": 1}, "env": [{"name": "A", "later": 1}]}
    )
    assert spec.to_json()["env"] == [{"name": "A"}]


def test_amounts_are_written_as_texts() -> None:
    """So that a number and the same text make the same template."""
    spec = RunnerPoolSpec.model_validate(merged(*resources(2)))
    assert spec.template.to_json()["resources"]["limits"] == {"cpu": "2"}


def test_what_is_passed_through_stays_as_it_is() -> None:
    template = {
        "tolerations": [{"key": "gpu", "tolerationSeconds": 3}],
        "volumes": [{"name": "data", "csi": {"driver": "d", "volumeAttributes": {"a_b": "c"}}}],
        "volumeMounts": [{**MOUNT, "subPath": "x"}],
        "envFrom": [{"configMapRef": {"name": "c"}}],
    }
    written = RunnerPoolSpec.model_validate(merged(*pool(**template))).template.to_json()
    assert {key: written[key] for key in template} == template
