"""What the values become in the environment of control plane and operator; false and 0 are values like others."""

import json
from pathlib import Path

import pytest
import yaml

from skerry_api.domain.plans import PLANS
from skerry_api.settings import Settings
from skerry_operator.settings import Settings as OperatorSettings
from tests.unit.charts.renders import CHART, NAMESPACE, Helm, Rendered, containers, environment

NAME = "skerry-control-plane"


def settings(rendered: Rendered) -> dict[str, str]:
    (found,) = [item["data"] for item in rendered.all("ConfigMap") if "SKERRY_EXECUTOR" in item["data"]]
    return dict(found)


def container(rendered: Rendered, kind: str, name: str, index: int = 0) -> dict[str, object]:
    found: dict[str, object] = rendered.one(kind, name)["spec"]["template"]["spec"]["containers"][index]
    return found


def test_engine_settings_are_ones_the_control_plane_knows_and_have_its_defaults(defaults: Rendered) -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    known = Settings()
    for name in values["controlPlane"]["settings"]:
        variable = "SKERRY_" + "".join(f"_{letter}" if letter.isupper() else letter for letter in name).upper()
        assert float(settings(defaults)[variable]) == getattr(known, variable.removeprefix("SKERRY_").lower())


def test_the_control_plane_accepts_its_environment(sample: Rendered, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in settings(sample).items():
        monkeypatch.setenv(name, value)
    chosen = Settings()
    assert chosen.executor == "kubernetes"
    assert chosen.tasks_namespace == settings(sample)["SKERRY_TASKS_NAMESPACE"]


def test_plans_are_the_ones_in_the_code_unless_changed(helm: Helm, defaults: Rendered) -> None:
    plans = json.loads(settings(defaults)["SKERRY_PLANS"])
    assert {name: (cores(plan["cpu"]), mebibytes(plan["memory"])) for name, plan in plans.items()} == {
        plan.name: (plan.cpu, plan.memory_bytes / 1024**2) for plan in PLANS.values()
    }
    changed = helm.render('plans={"tiny": {"cpu": 0.1, "memory": "64Mi"}, "pro_ultra": null}')
    plans = json.loads(settings(changed)["SKERRY_PLANS"])
    assert plans["tiny"] == {"cpu": 0.1, "memory": "64Mi"}
    assert set(plans) == set(PLANS) - {"pro_ultra"} | {"tiny"}


def cores(text: str) -> float:
    return float(text.removesuffix("m")) / (1000 if text.endswith("m") else 1)


def mebibytes(text: str) -> float:
    return float(text[:-2]) * {"Mi": 1, "Gi": 1024}[text[-2:]]


def test_false_and_zero_are_honoured(helm: Helm) -> None:
    bare = helm.render(values=[CHART / "ci" / "bare-values.yaml"])
    assert bare.one("Deployment", NAME)["spec"]["replicas"] == 0
    assert settings(bare)["SKERRY_CANCEL_GRACE_SECONDS"] == "0"
    assert settings(bare)["SKERRY_CPU_REQUEST_RATIO"] == "0"
    assert environment(container(bare, "Deployment", "skerry-operator"))["SKERRY_OPERATOR_TTL_SECONDS"] == "0"
    control_plane = bare.one("Deployment", NAME)["spec"]["template"]["spec"]
    assert "initContainers" not in control_plane
    assert "lifecycle" not in control_plane["containers"][0]
    assert "topologySpreadConstraints" not in control_plane
    kinds = {item["kind"] for item in bare}
    assert kinds == {"ConfigMap", "Secret", "Service", "Deployment", "StatefulSet", "Pod"}
    assert not bare.has("Secret", "skerry-admin-key")


def test_a_null_leaves_replicas_to_an_autoscaler(helm: Helm) -> None:
    assert helm.render("controlPlane.replicas=null").one("Deployment", NAME)["spec"].get("replicas") is None


def test_large_numbers_stay_integers(defaults: Rendered, helm: Helm, tmp_path: Path) -> None:
    assert settings(defaults)["SKERRY_ARGUMENT_BYTES"] == "4194304"
    file = tmp_path / "values.yaml"
    file.write_text("controlPlane: {settings: {resultBytes: 1073741824}}\noperator: {ttlSeconds: 31536000}\n")
    rendered = helm.render(values=[file])
    assert settings(rendered)["SKERRY_RESULT_BYTES"] == "1073741824"
    assert (
        environment(container(rendered, "Deployment", "skerry-operator"))["SKERRY_OPERATOR_TTL_SECONDS"] == "31536000"
    )


def test_the_operator_gets_its_settings(production: Rendered) -> None:
    assert environment(container(production, "Deployment", "skerry-operator")) == {
        "SKERRY_OPERATOR_NAMESPACE": "tasks",
        "SKERRY_OPERATOR_URL": f"http://skerry-control-plane.{NAMESPACE}.svc:8120",
        "SKERRY_OPERATOR_SERVICE_ACCOUNT": "skerry-tasks",
        "SKERRY_OPERATOR_RUN_AS_USER": "65532",
        "SKERRY_OPERATOR_LEASE_NAME": "skerry-operator",
        "SKERRY_OPERATOR_LEASE_NAMESPACE": NAMESPACE,
        "SKERRY_OPERATOR_IDENTITY": {"fieldRef": {"fieldPath": "metadata.name"}},
        "SKERRY_OPERATOR_PORT": "8080",
        "SKERRY_OPERATOR_TTL_SECONDS": "3600",
        "SKERRY_OPERATOR_SUCCEEDED_POD_SECONDS": "300",
        "SKERRY_OPERATOR_RESYNC_SECONDS": "60",
        "SKERRY_OPERATOR_IMAGE_PULL_SECONDS": "120",
        "SKERRY_OPERATOR_NO_ROOM_SECONDS": "86400",
        "SKERRY_OPERATOR_UNSCHEDULABLE_SECONDS": "300",
        "SKERRY_OPERATOR_CONCURRENCY": "32",
        "SKERRY_OPERATOR_ANNOUNCE": "true",
        "SKERRY_OPERATOR_LOG_LEVEL": "info",
    }


def test_the_operator_accepts_its_environment_and_has_the_same_defaults(
    helm: Helm, defaults: Rendered, monkeypatch: pytest.MonkeyPatch
) -> None:
    def chosen(rendered: Rendered) -> OperatorSettings:
        for name, value in environment(container(rendered, "Deployment", "skerry-operator")).items():
            monkeypatch.setenv(name, value if isinstance(value, str) else "pod")
        return OperatorSettings()

    around = {"url", "namespace", "service_account", "lease_namespace", "identity"}
    initial = OperatorSettings(url="http://any", identity="pod")
    assert chosen(defaults).model_dump(exclude=around) == initial.model_dump(exclude=around)
    bare = chosen(helm.render("operator.announce=false", "tasks.runAsUser=0", "operator.ttlSeconds=0"))
    assert (bare.announce, bare.run_as_user, bare.ttl_seconds) == (False, 0, 0)


def test_task_pods_use_the_services_port(helm: Helm) -> None:
    rendered = helm.render("controlPlane.service.port=80")
    url = environment(container(rendered, "Deployment", "skerry-operator"))["SKERRY_OPERATOR_URL"]
    assert url == f"http://skerry-control-plane.{NAMESPACE}.svc:80"
    assert rendered.one("Service", NAME)["spec"]["ports"][0]["port"] == 80


def test_the_template_of_all_tasks_reaches_the_control_plane(production: Rendered, defaults: Rendered) -> None:
    assert json.loads(settings(production)["SKERRY_POD_TEMPLATE"]) == {
        "runtimeClassName": "gvisor",
        "imagePullSecrets": [{"name": "registry"}],
    }
    assert "SKERRY_POD_TEMPLATE" not in settings(defaults)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], {"cpu": "50m", "memory": "64Mi"}),
        (['tasks.warm.idleRequests={"cpu": 1, "memory": null}'], {"cpu": "1"}),
        (["tasks.warm.idleRequests=null"], None),
        (['tasks.warm.idleRequests={"cpu": null, "memory": null}'], None),
    ],
)
def test_pods_that_wait_are_small_unless_they_are_not_to_be(
    helm: Helm, monkeypatch: pytest.MonkeyPatch, values: list[str], expected: dict[str, str] | None
) -> None:
    for name, value in settings(helm.render(*values)).items():
        monkeypatch.setenv(name, value)
    requests = Settings().idle_requests
    assert (None if requests is None else requests.to_json()) == expected


def test_a_change_of_settings_replaces_the_pods_and_nothing_else_does(helm: Helm, defaults: Rendered) -> None:
    def annotations(rendered: Rendered) -> object:
        return rendered.one("Deployment", NAME)["spec"]["template"]["metadata"]["annotations"]

    assert annotations(helm.render()) == annotations(defaults)
    assert annotations(helm.render("controlPlane.settings.leaseSeconds=31")) != annotations(defaults)


@pytest.mark.parametrize(
    ("values", "image"),
    [
        ([], "skerry-api:0.1.0"),
        (['image.registry="r.example.com/s/"'], "r.example.com/s/skerry-api:0.1.0"),
        (['image.tag="2"'], "skerry-api:2"),
        (['image.tag="2"', 'controlPlane.image.tag="3"'], "skerry-api:3"),
        (['image.registry="r"', 'controlPlane.image={"registry": "o", "repository": "own"}'], "o/own:0.1.0"),
        (['controlPlane.image.digest="sha256:0"', 'image.tag="2"'], "skerry-api@sha256:0"),
    ],
)
def test_images(helm: Helm, values: list[str], image: str) -> None:
    rendered = helm.render(*values)
    assert container(rendered, "Deployment", NAME)["image"] == image
    others = [found["image"] for _, _, pod in rendered.pods() for found in containers(pod)]
    assert others.count(image) == 4, "server, its init container, the migration Job and the test use one image"


def test_the_databases_image_is_not_ours(helm: Helm) -> None:
    rendered = helm.render('image={"registry": "r.example.com", "tag": "2"}')
    assert container(rendered, "StatefulSet", "skerry-postgres")["image"] == "docker.io/postgres:17"
