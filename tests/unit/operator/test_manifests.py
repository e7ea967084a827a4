from __future__ import annotations

import json
from typing import Any

import pytest

from skerry_objects import names
from skerry_objects.runner_pools import RunnerPool
from skerry_operator.manifests import TEMPLATE, Surroundings, adoption, attempt_pod, idle_pod, template_hash
from skerry_operator.sizes import CLAIMED_REQUESTS
from tests.unit.operator.objects import NOW, POOL_UID, RUN_UID, ended, idle, runner_pool, running, task_run

AROUND = Surroundings("http://control-plane:8120", "skerry-tasks", 65532)


def made(**template: Any) -> dict[str, Any]:
    return attempt_pod(task_run(), runner_pool(**template), AROUND)


def test_attempt_pod_names_its_run() -> None:
    metadata = made()["metadata"]
    assert metadata["name"] == "trn-1-1"
    assert metadata["labels"] == {
        names.MANAGED_BY: "skerry",
        names.WORKFLOW: "etl",
        names.POOL: "pool",
        names.RUN: "trn-1",
        names.TASK: "load",
        names.ATTEMPT: "1",
    }
    (owner,) = metadata["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("TaskRun", RUN_UID, True)


def test_idle_pod_has_no_run() -> None:
    pod = idle_pod(runner_pool(), "abcde", AROUND, small=False)
    assert pod["metadata"]["name"] == "pool-abcde"
    assert names.RUN not in pod["metadata"]["labels"]
    assert pod["metadata"]["ownerReferences"][0]["uid"] == POOL_UID
    assert "activeDeadlineSeconds" not in pod["spec"]
    assert {"name": "SKERRY_PINNED_ATTEMPT", "value": ""} in pod["spec"]["containers"][0]["env"]


def test_pod_is_restricted() -> None:
    spec = made()["spec"]
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "fsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert spec["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": False,
    }
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["restartPolicy"] == "Never"
    assert spec["activeDeadlineSeconds"] == 960


def test_user_can_be_left_to_the_image() -> None:
    pod = attempt_pod(task_run(), runner_pool(), Surroundings("http://c", None, None))
    assert pod["spec"]["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert "serviceAccountName" not in pod["spec"]


@pytest.mark.parametrize(
    ("template", "rest"),
    [
        ({}, []),
        ({"app": "main:app"}, ["--app", "main:app"]),
        ({"command": ["node", "main.js"]}, ["--", "node", "main.js"]),
    ],
)
def test_arguments(template: dict[str, Any], rest: list[str]) -> None:
    container = made(**template)["spec"]["containers"][0]
    assert container["command"] == ["skerry-runner"]
    assert container["args"] == [
        *("--url", "http://control-plane:8120", "--runner", "$(SKERRY_POD_NAME)"),
        *("--pool", "pool", "--version", "wfv-1", "--isolation", "container"),
        *rest,
    ]


def test_environment() -> None:
    secret = {"secretKeyRef": {"name": "bank", "key": "token"}}
    env = made(env=[{"name": "A", "value": "1"}, {"name": "B", "valueFrom": secret}])["spec"]["containers"][0]["env"]
    values = {entry["name"]: entry.get("value") for entry in env if "value" in entry}
    assert values == {
        "A": "1",
        "SKERRY_URL": "http://control-plane:8120",
        "SKERRY_WORKFLOW": "etl",
        "SKERRY_RUNNER_TOKEN_FILE": "/var/run/secrets/skerry/token",
        "SKERRY_PINNED_ATTEMPT": "trn-1-1",
    }
    assert {entry["name"]: entry["valueFrom"] for entry in env if "valueFrom" in entry} == {
        "B": secret,
        "SKERRY_POD_NAME": {"fieldRef": {"fieldPath": "metadata.name"}},
        "SKERRY_POD_UID": {"fieldRef": {"fieldPath": "metadata.uid"}},
        "SKERRY_NODE_NAME": {"fieldRef": {"fieldPath": "spec.nodeName"}},
    }


@pytest.mark.parametrize(
    "pod", [made(), idle_pod(runner_pool(), "abcde", AROUND, small=False)], ids=["attempt", "idle"]
)
def test_every_pod_has_every_variable_that_a_template_cannot_set(pod: dict[str, Any]) -> None:
    """What `env` has goes before `envFrom` and the image, so that these cannot set them either."""
    env = [entry["name"] for entry in pod["spec"]["containers"][0]["env"]]
    assert sorted(env) == sorted(names.RUNNERS_VARIABLES)


def test_template_is_passed_on() -> None:
    given: dict[str, Any] = {
        "imagePullPolicy": "Always",
        "workingDir": "/srv",
        "envFrom": [{"secretRef": {"name": "s"}}],
        "resources": {"requests": {"cpu": "500m"}, "limits": {"memory": "512Mi"}},
    }
    around: dict[str, Any] = {
        "serviceAccountName": "mine",
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "gpu"}],
        "runtimeClassName": "gvisor",
        "imagePullSecrets": [{"name": "r"}],
    }
    volumes = [{"name": "data", "emptyDir": {}}]
    mounts = [{"name": "data", "mountPath": "/data"}]
    spec = made(**given, **around, volumes=volumes, volumeMounts=mounts)["spec"]
    assert {key: spec["containers"][0][key] for key in given} == given
    assert {key: spec[key] for key in around} == around
    assert [volume["name"] for volume in spec["volumes"]] == ["data", "skerry-token", "skerry-tmp"]
    assert [mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]] == [
        "/data",
        "/var/run/secrets/skerry",
        "/tmp",
    ]


def test_tmp_of_the_template_is_used() -> None:
    spec = made(volumes=[{"name": "big", "emptyDir": {}}], volumeMounts=[{"name": "big", "mountPath": "/tmp/"}])["spec"]
    assert [volume["name"] for volume in spec["volumes"]] == ["big", "skerry-token"]
    assert len(spec["containers"][0]["volumeMounts"]) == 2


def test_labels_of_the_template_cannot_claim_a_pod() -> None:
    pool = runner_pool(labels={names.RUN: "trn-9", names.MANAGED_BY: "me", "team": "a"})
    labels = idle_pod(pool, "abcde", AROUND, small=False)["metadata"]["labels"]
    assert names.RUN not in labels
    assert (labels[names.MANAGED_BY], labels["team"]) == ("skerry", "a")


def test_adoption_names_the_run_as_the_only_owner() -> None:
    change = adoption(task_run(podName="pool-abcde"), idle("pool-abcde", created=-600, **running()), NOW)
    metadata = change["metadata"]
    assert metadata["labels"][names.RUN] == "trn-1"
    assert [owner["kind"] for owner in metadata["ownerReferences"]] == ["TaskRun"]
    assert change["spec"] == {"activeDeadlineSeconds": 600 + 960}


@pytest.mark.parametrize("code", [0, 1])
def test_adoption_gives_no_deadline_to_what_is_over(code: int) -> None:
    assert list(adoption(task_run(podName="pool-abcde"), idle("pool-abcde", **ended(code)), NOW)) == ["metadata"]


def test_hash_tells_templates_apart() -> None:
    assert template_hash(runner_pool()) == template_hash(runner_pool(5))
    assert template_hash(runner_pool()) != template_hash(runner_pool(image="etl:2"))


FULL: dict[str, Any] = {"limits": {"cpu": "2", "memory": "4Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}}
SMALL = {"cpu": "50m", "memory": "64Mi"}


def sized(idle_requests: dict[str, str] | None = SMALL, **template: Any) -> RunnerPool:
    return runner_pool(spec={"idleRequests": idle_requests}, resources=FULL, **template)


def test_pod_that_waits_is_small_and_says_what_it_grows_to() -> None:
    pod = idle_pod(sized(), "abcde", AROUND, small=True)
    assert pod["spec"]["containers"][0]["resources"] == {"limits": FULL["limits"], "requests": SMALL}
    assert json.loads(pod["metadata"]["annotations"][CLAIMED_REQUESTS]) == FULL["requests"]


def test_pod_that_waits_is_of_full_size_if_it_cannot_grow_and_so_is_one_for_an_attempt() -> None:
    for pod in (idle_pod(sized(), "abcde", AROUND, small=False), attempt_pod(task_run(), sized(), AROUND)):
        assert pod["spec"]["containers"][0]["resources"] == FULL
        assert "annotations" not in pod["metadata"]


def test_what_else_a_pod_requests_stays() -> None:
    disk = {"ephemeral-storage": "1Gi"}
    pool = runner_pool(spec={"idleRequests": SMALL}, resources=FULL | {"requests": FULL["requests"] | disk})
    assert idle_pod(pool, "abcde", AROUND, small=True)["spec"]["containers"][0]["resources"]["requests"] == SMALL | disk


def test_annotations_of_the_template_cannot_make_a_pod_grow() -> None:
    pool = sized(None, annotations={CLAIMED_REQUESTS: '{"cpu": "64"}', "team": "a"})
    for pod in (idle_pod(pool, "abcde", AROUND, small=True), attempt_pod(task_run(), pool, AROUND)):
        assert pod["metadata"]["annotations"] == {"team": "a"}


def test_hash_tells_sizes_apart_and_only_those_that_differ() -> None:
    hashes = {template_hash(sized(size)) for size in (None, {}, {"cpu": "1"}, {"cpu": "500m", "memory": "2Gi"})}
    assert len(hashes) == 1, "all of these wait at full size"
    assert template_hash(sized()) not in hashes
    assert template_hash(sized()) != template_hash(sized({"cpu": "60m", "memory": "64Mi"}))
    labels = [idle_pod(sized(), "x", AROUND, small=small)["metadata"]["labels"][TEMPLATE] for small in (True, False)]
    assert labels == [template_hash(sized())] * 2, "one that waits at full size for want of room is not replaced"
