"""Who may do what in the cluster, how every container is confined, and who may talk to whom."""

from typing import Any

import pytest

from tests.unit.charts.renders import NAMESPACE, Helm, Json, Rendered, containers

Rule = tuple[str, str, str, str]

READ = ("get", "list", "watch")
OWN = "skerry.dev"


def allowed(rendered: Rendered, account: str) -> set[tuple[str, str, str]]:
    """(namespace or *, resource, verb) for a service account, from Roles and bindings; a resource by name as `leases/=name`."""
    found = set()
    for binding in [*rendered.all("RoleBinding"), *rendered.all("ClusterRoleBinding")]:
        if account in [f"{subject['namespace']}/{subject['name']}" for subject in binding["subjects"]]:
            role = rendered.one(binding["roleRef"]["kind"], binding["roleRef"]["name"])
            place = binding["metadata"].get("namespace", "*")
            assert role["metadata"].get("namespace", "*") == place
            found |= {(place, *permission) for rule in role["rules"] for permission in permissions(rule)}
    return found


def permissions(rule: Json) -> set[tuple[str, str]]:
    names = "".join(f"={name}" for name in rule.get("resourceNames", ()))
    return {
        (f"{resource}.{group}".rstrip(".") + names, verb)
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def each(place: str, resource: str, *verbs: str) -> set[tuple[str, str, str]]:
    return {(place, resource, verb) for verb in verbs}


@pytest.fixture(params=["defaults", "production"])
def installed(request: pytest.FixtureRequest) -> tuple[Rendered, str]:
    """A rendered chart, and the namespace of its tasks."""
    rendered: Rendered = request.getfixturevalue(request.param)
    return rendered, {"defaults": NAMESPACE, "production": "tasks"}[request.param]


def test_the_control_plane_writes_its_own_objects_and_asks_who_a_token_is(installed: tuple[Rendered, str]) -> None:
    rendered, tasks = installed
    expected = each("*", "tokenreviews.authentication.k8s.io", "create")
    for plural in ("taskruns", "runnerpools", "workflows"):
        expected |= each(tasks, f"{plural}.{OWN}", *READ, "create", "patch", "delete")
    expected |= each(tasks, f"workflows/status.{OWN}", "patch")
    assert allowed(rendered, f"{NAMESPACE}/skerry-control-plane") == expected


def test_the_operator_makes_pods_and_writes_status(installed: tuple[Rendered, str]) -> None:
    rendered, tasks = installed
    expected = each(tasks, "pods", *READ, "create", "patch", "delete") | each(tasks, "events", "create")
    expected |= each(tasks, "pods/resize", "patch")
    expected |= each(tasks, f"taskruns.{OWN}", *READ, "delete") | each(tasks, f"runnerpools.{OWN}", *READ)
    for plural in ("taskruns", "runnerpools"):
        expected |= each(tasks, f"{plural}/status.{OWN}", "patch")
    leases = "leases.coordination.k8s.io"
    expected |= each(NAMESPACE, leases, "create") | each(NAMESPACE, f"{leases}=skerry-operator", "get", "update")
    assert allowed(rendered, f"{NAMESPACE}/skerry-operator") == expected


def test_the_operator_may_not_resize_pods_that_wait_at_full_size(helm: Helm) -> None:
    account = f"{NAMESPACE}/skerry-operator"
    resize = each(NAMESPACE, "pods/resize", "patch")
    assert allowed(helm.render(), account) - allowed(helm.render("tasks.warm.idleRequests=null"), account) == resize


def test_tasks_may_do_nothing(installed: tuple[Rendered, str]) -> None:
    rendered, tasks = installed
    account = rendered.one("ServiceAccount", "skerry-tasks")
    assert account["metadata"]["namespace"] == tasks
    assert account["automountServiceAccountToken"] is False
    assert not allowed(rendered, f"{tasks}/skerry-tasks")


def test_no_role_has_a_wildcard_or_reads_secrets(sample: Rendered) -> None:
    for role in [*sample.all("Role"), *sample.all("ClusterRole")]:
        for rule in role["rules"]:
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
            assert "secrets" not in rule["resources"]


def test_bindings_name_accounts_of_this_release_only(sample: Rendered) -> None:
    known = {
        f"{metadata.get('namespace', NAMESPACE)}/{pod['serviceAccountName']}"
        for _, metadata, pod in sample.pods()
        if "serviceAccountName" in pod
    }
    for binding in [*sample.all("RoleBinding"), *sample.all("ClusterRoleBinding")]:
        assert {f"{subject['namespace']}/{subject['name']}" for subject in binding["subjects"]} <= known


def test_people_with_the_clusters_roles_get_the_same_for_our_objects(defaults: Rendered, helm: Helm) -> None:
    roles = {
        label.rpartition("-")[2]: role
        for role in defaults.all("ClusterRole")
        for label in role["metadata"]["labels"]
        if "aggregate-to" in label
    }
    assert set(roles) == {"view", "edit"}
    assert {verb for rule in roles["view"]["rules"] for verb in rule["verbs"]} == set(READ)
    # Whoever could create TaskRuns or RunnerPools would run any image without the control plane knowing.
    writable = {permission for rule in roles["edit"]["rules"] for permission in permissions(rule)}
    assert {resource for resource, verb in writable if verb == "create"} == {f"workflows.{OWN}"}
    assert not [role for role in helm.render("rbac.aggregate=false").all("ClusterRole") if "rules" not in role]


def test_every_container_is_restricted(sample: Rendered) -> None:
    pods = list(sample.pods())
    assert len(pods) >= 3
    for name, _, pod in pods:
        problems = restrictions(pod)
        assert not problems, f"{name}: {problems}"
        for container in containers(pod):
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, name
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name
            assert "memory" in container["resources"]["limits"], name


def restrictions(pod: dict[str, Any]) -> list[str]:
    """What Pod Security "restricted" would refuse. https://kubernetes.io/docs/concepts/security/pod-security-standards/"""
    problems = [field for field in ("hostNetwork", "hostPID", "hostIPC") if pod.get(field)]
    for volume in pod.get("volumes", ()):
        kinds = set(volume) - {"name"}
        allowed_kinds = {
            "configMap",
            "csi",
            "downwardAPI",
            "emptyDir",
            "ephemeral",
            "persistentVolumeClaim",
            "projected",
            "secret",
        }
        problems += sorted(kinds - allowed_kinds)
    of_pod = pod.get("securityContext", {})
    for container in containers(pod):
        own = {
            **{key: of_pod.get(key) for key in ("runAsNonRoot", "runAsUser", "seccompProfile")},
            **container.get("securityContext", {}),
        }
        checks = {
            "runAsNonRoot": own.get("runAsNonRoot") is True,
            "runAsUser": own.get("runAsUser") != 0,
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
            "privileged": not own.get("privileged"),
            "capabilities": own.get("capabilities", {}).get("drop") == ["ALL"] and not own["capabilities"].get("add"),
            "seccompProfile": (own.get("seccompProfile") or {}).get("type") == "RuntimeDefault",
            "hostPort": not [port for port in container.get("ports", ()) if port.get("hostPort")],
        }
        problems += [f"{container['name']}: {name}" for name, good in checks.items() if not good]
    return problems


def test_no_pod_gets_variables_for_services(sample: Rendered) -> None:
    """A Service skerry-operator would become SKERRY_OPERATOR_PORT=tcp://…, which is a setting."""
    for name, _, pod in sample.pods():
        assert pod["enableServiceLinks"] is False, name


def test_a_token_is_mounted_only_where_kubernetes_is_spoken_to(sample: Rendered) -> None:
    mounted = [metadata["labels"] for _, metadata, pod in sample.pods() if pod["automountServiceAccountToken"]]
    assert {labels["app.kubernetes.io/component"] for labels in mounted} == {"control-plane", "operator"}
    for account in sample.all("ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


def test_user_ids_can_be_left_to_the_platform(helm: Helm) -> None:
    rendered = helm.render('podSecurityContext={"runAsUser": null, "runAsGroup": null, "fsGroup": null}')
    context = rendered.one("Deployment", "skerry-operator")["spec"]["template"]["spec"]["securityContext"]
    assert context == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def test_the_namespace_of_tasks_enforces_the_restricted_level_and_is_kept(production: Rendered) -> None:
    metadata = production.one("Namespace", "tasks")["metadata"]
    assert metadata["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert metadata["annotations"]["helm.sh/resource-policy"] == "keep"


def policy(rendered: Rendered, name: str) -> Json:
    found: Json = rendered.one("NetworkPolicy", f"skerry-{name}")["spec"]
    return found


def test_every_pod_has_a_policy_for_both_directions(defaults: Rendered) -> None:
    selectors = [item["spec"]["podSelector"]["matchLabels"] for item in defaults.all("NetworkPolicy")]
    for name, metadata, _ in defaults.pods():
        covered = [selector for selector in selectors if selector.items() <= metadata["labels"].items()]
        assert len(covered) == (0 if name.startswith("Pod/") else 1), name
    for item in defaults.all("NetworkPolicy"):
        assert set(item["spec"]["policyTypes"]) == {"Ingress", "Egress"}


def test_only_the_control_plane_reaches_the_database(defaults: Rendered) -> None:
    (rule,) = policy(defaults, "postgres")["ingress"]
    components = {peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for peer in rule["from"]}
    assert components == {"control-plane", "migrations"}
    assert "egress" not in policy(defaults, "postgres")


def test_tasks_reach_the_control_plane_names_and_the_internet_and_nobody_reaches_them(defaults: Rendered) -> None:
    spec = policy(defaults, "tasks")
    assert spec["podSelector"]["matchLabels"] == {"app.kubernetes.io/managed-by": "skerry"}
    assert "ingress" not in spec
    dns, control_plane, internet = spec["egress"]
    assert {port["port"] for port in dns["ports"]} == {53}
    (peer,) = control_plane["to"]
    assert peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "control-plane"
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": NAMESPACE}
    blocks = {peer["ipBlock"]["cidr"]: peer["ipBlock"]["except"] for peer in internet["to"]}
    assert "169.254.0.0/16" in blocks["0.0.0.0/0"]
    assert set(blocks) == {"0.0.0.0/0", "::/0"}


@pytest.mark.parametrize("component", ["control-plane", "operator", "postgres"])
def test_policies_open_the_ports_that_containers_listen_on(defaults: Rendered, component: str) -> None:
    (pod,) = [spec for name, _, spec in defaults.pods() if name.endswith(f"/skerry-{component}")]
    listening = {port["containerPort"] for port in pod["containers"][0]["ports"]}
    (ingress,) = policy(defaults, component)["ingress"]
    assert {port["port"] for port in ingress["ports"]} == listening
    for item in defaults.all("NetworkPolicy"):
        for rule in item["spec"].get("egress", ()):
            selectors = [peer.get("podSelector", {}).get("matchLabels", {}) for peer in rule.get("to", ())]
            if component in [selector.get("app.kubernetes.io/component") for selector in selectors]:
                assert {port["port"] for port in rule["ports"]} == listening


def test_the_internet_can_be_taken_from_tasks(production: Rendered) -> None:
    assert len(policy(production, "tasks")["egress"]) == 2
    assert production.one("NetworkPolicy", "skerry-tasks")["metadata"]["namespace"] == "tasks"


def test_tasks_reach_the_control_plane_however_it_is_closed_to_others(production: Rendered) -> None:
    (rule,) = policy(production, "control-plane")["ingress"]
    tasks, test, other = rule["from"]
    assert tasks["podSelector"]["matchLabels"] == {"app.kubernetes.io/managed-by": "skerry"}
    assert tasks["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "tasks"}
    assert test["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "test"
    assert other["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "ingress"}
