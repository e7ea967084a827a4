"""Where the database is, how its schema is made, and the two secrets that are made once."""

import base64
import re
from pathlib import Path

from skerry_api.storage.databases import Database
from tests.unit.charts.clusters import cluster
from tests.unit.charts.renders import CHART, NAMESPACE, Helm, Json, Rendered, environment


def migrations(rendered: Rendered) -> tuple[Json, Json]:
    """The Job before an upgrade, and the init container of an installation."""
    pod = rendered.one("Deployment", "skerry-control-plane")["spec"]["template"]["spec"]
    (init,) = pod["initContainers"]
    return rendered.one("Job", "skerry-migrations"), init


def test_an_installation_migrates_in_an_init_container_and_an_upgrade_in_a_job(defaults: Rendered) -> None:
    job, init = migrations(defaults)
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-upgrade"
    assert "hook-succeeded" in job["metadata"]["annotations"]["helm.sh/hook-delete-policy"]
    assert init["command"] + init["args"] == ["skerry-api", "migrate"]
    assert job["spec"]["template"]["spec"]["containers"] == [init]


def test_the_job_needs_nothing_that_the_upgrade_brings(defaults: Rendered) -> None:
    pod = migrations(defaults)[0]["spec"]["template"]["spec"]
    assert "serviceAccountName" not in pod
    (container,) = pod["containers"]
    assert "envFrom" not in container
    assert environment(container)["SKERRY_ADMIN_KEY"]["secretKeyRef"]["optional"] is True


def test_nothing_else_is_a_hook_but_the_test(defaults: Rendered) -> None:
    hooks = {
        (item["kind"], item["metadata"]["annotations"]["helm.sh/hook"])
        for item in defaults
        if "helm.sh/hook" in item["metadata"].get("annotations", {})
    }
    assert hooks == {("Job", "pre-upgrade"), ("Pod", "test")}


def test_only_what_migrates_sees_the_admin_key(defaults: Rendered) -> None:
    (server,) = defaults.one("Deployment", "skerry-control-plane")["spec"]["template"]["spec"]["containers"]
    assert set(environment(server)) == {"SKERRY_DATABASE_URL"}


def test_production_names_its_own_secrets_and_starts_no_database(production: Rendered) -> None:
    assert not production.all("StatefulSet")
    assert not production.all("Secret")
    for container in (migrations(production)[1], *migrations(production)[0]["spec"]["template"]["spec"]["containers"]):
        variables = environment(container)
        assert variables["SKERRY_DATABASE_URL"]["secretKeyRef"] == {"name": "database", "key": "DATABASE_URL"}
        assert variables["SKERRY_ADMIN_KEY"]["secretKeyRef"]["name"] == "key"


def test_the_operator_has_neither_database_nor_key(sample: Rendered) -> None:
    for name, _, pod in sample.pods():
        if name.startswith("Deployment/") and name.endswith("-operator"):
            variables = environment(pod["containers"][0])
            assert not [variable for variable in variables if "DATABASE" in variable or "KEY" in variable]


def test_the_generated_url_and_password_belong_together(defaults: Rendered) -> None:
    data = {
        key: base64.b64decode(value).decode()
        for key, value in defaults.one("Secret", "skerry-postgres")["data"].items()
    }
    assert re.fullmatch(r"[A-Za-z0-9]{32}", data["password"])
    assert data["url"] == f"postgresql://skerry:{data['password']}@skerry-postgres.{NAMESPACE}.svc:5432/skerry"
    assert Database(data["url"]).engine.url.host == f"skerry-postgres.{NAMESPACE}.svc"


def test_the_admin_key_looks_like_any_other(defaults: Rendered, helm: Helm) -> None:
    def key(rendered: Rendered) -> str:
        return base64.b64decode(rendered.one("Secret", "skerry-admin-key")["data"]["api-key"]).decode()

    assert re.fullmatch(r"sk_[A-Za-z0-9]{43}", key(defaults))
    assert key(defaults) != key(helm.render())


def test_a_volume_keeps_its_password_when_the_release_goes(helm: Helm, defaults: Rendered) -> None:
    kept = helm.render(values=[CHART / "ci" / "persistent-values.yaml"])
    policy = "helm.sh/resource-policy"
    assert kept.one("Secret", "skerry-postgres")["metadata"]["annotations"][policy] == "keep"
    assert policy not in defaults.one("Secret", "skerry-postgres")["metadata"].get("annotations", {})


def test_data_is_kept_only_when_asked(helm: Helm, defaults: Rendered) -> None:
    def volumes(rendered: Rendered, name: str) -> tuple[Json, ...]:
        spec = rendered.one("StatefulSet", name)["spec"]
        named = [volume for volume in spec["template"]["spec"]["volumes"] if volume["name"] == "data"]
        return (*named, *spec.get("volumeClaimTemplates", ()))

    (volume,) = volumes(defaults, "skerry-postgres")
    assert volume == {"name": "data", "emptyDir": {}}
    (claim,) = volumes(helm.render(values=[CHART / "ci" / "persistent-values.yaml"]), "skerry-postgres")
    assert claim["spec"]["resources"]["requests"]["storage"] == "20Gi"
    assert claim["spec"]["storageClassName"] == "fast"
    existing = 'postgres.persistence={"enabled": true, "existingClaim": "mine"}'
    (volume,) = volumes(helm.render(existing), "skerry-postgres")
    assert volume["persistentVolumeClaim"] == {"claimName": "mine"}


def test_an_upgrade_keeps_both_secrets(helm: Helm, defaults: Rendered, tmp_path: Path) -> None:
    names = ["skerry-postgres", "skerry-admin-key"]
    before = {name: defaults.one("Secret", name)["data"] for name in names}
    with cluster(tmp_path, defaults, before) as kubeconfig:
        after = helm.render_with(kubeconfig)
    assert {name: after.one("Secret", name)["data"] for name in names} == before


def test_a_secret_that_was_lost_is_made_again(helm: Helm, defaults: Rendered, tmp_path: Path) -> None:
    before = {"skerry-postgres": defaults.one("Secret", "skerry-postgres")["data"]}
    with cluster(tmp_path, defaults, before) as kubeconfig:
        after = helm.render_with(kubeconfig)
    assert after.one("Secret", "skerry-postgres")["data"] == before["skerry-postgres"]
    key = "skerry-admin-key"
    assert after.one("Secret", key)["data"] != defaults.one("Secret", key)["data"]
