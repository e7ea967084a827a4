"""Objects as the control plane writes them."""

from __future__ import annotations

from typing import Any

import pytest

from skerry_api.domain.plans import GIB, Plan
from skerry_api.executors.kubernetes import templates
from skerry_api.executors.kubernetes.templates import PodDefaults
from skerry_objects.runner_pools import IdleRequests
from skerry_objects.workflows import WorkflowSpec

PLAN = Plan("standard", 1, 2 * GIB)


def spec_of(**written: Any) -> WorkflowSpec:
    return WorkflowSpec.model_validate({"image": "shop:1", "app": "main:app", **written})


def test_what_a_workflow_says_goes_before_what_holds_for_all() -> None:
    defaults = PodDefaults("runner", 0.25, 0.5, {"nodeSelector": {"pool": "tasks"}, "runtimeClassName": "gvisor"})
    source = {"image": "shop:1", "template": {"nodeSelector": {"pool": "gpu"}}}
    pool = templates.runner_pool("shop", "wfv-1", PLAN, source, defaults, 0)
    template = pool.spec.template
    assert (template.node_selector, template.runtime_class_name) == ({"pool": "gpu"}, "gvisor")
    assert template.service_account_name == "runner"
    assert template.resources.requests == {"cpu": "250m", "memory": "1024Mi"}
    assert template.resources.limits == {"cpu": "1000m", "memory": "2048Mi"}


def test_only_what_concerns_the_code_makes_another_version() -> None:
    spec = spec_of()
    name = templates.version_name(templates.source_of(spec))
    again = spec_of(concurrencyLimit=5, warm={"min": 1})
    others = [{"env": [{"name": "A", "value": "b"}]}, {"template": {"nodeSelector": {"pool": "gpu"}}}]
    assert templates.version_name(templates.source_of(again)) == name
    assert len({name, *(templates.version_name(templates.source_of(spec_of(**other))) for other in others)}) == 3


def test_what_a_workflow_leaves_out_is_as_for_all_workflows() -> None:
    shared = {
        "env": [{"name": "REGION", "value": "north"}],
        "nodeSelector": {"pool": "tasks"},
        "volumes": [{"name": "data", "emptyDir": {}}],
    }
    defaults = PodDefaults(template=shared)

    def made(**written: Any) -> dict[str, Any]:
        source = templates.source_of(spec_of(**written))
        return templates.runner_pool("shop", "wfv-1", PLAN, source, defaults, 0).spec.template.to_json()

    assert {key: made()[key] for key in shared} == shared
    own = {"env": [{"name": "A", "value": "b"}], "template": {"nodeSelector": {}}}
    assert made(**own)["env"] == own["env"]
    assert made(**own)["nodeSelector"] == {}
    assert made(**own)["volumes"] == shared["volumes"]


def test_a_workflow_may_have_other_resources_than_its_plan() -> None:
    source = templates.source_of(spec_of(template={"resources": {"limits": {"cpu": 3}}}))
    pool = templates.runner_pool("shop", "wfv-1", PLAN, source, PodDefaults(), 0)
    assert pool.spec.template.resources.to_json() == {"requests": {}, "limits": {"cpu": "3"}}


SMALL = IdleRequests(cpu="50m", memory="64Mi")


def test_pods_that_wait_request_what_holds_for_all_workflows() -> None:
    def made(defaults: PodDefaults) -> dict[str, Any]:
        return templates.runner_pool("shop", "wfv-1", PLAN, {"image": "shop:1"}, defaults, 0).spec.to_json()

    assert made(PodDefaults(idle_requests=SMALL))["idleRequests"] == {"cpu": "50m", "memory": "64Mi"}
    assert "idleRequests" not in made(PodDefaults())


@pytest.mark.parametrize(
    ("before", "after", "replicas", "change"),
    [
        (SMALL, SMALL, 1, {}),
        (None, None, 1, {}),
        (SMALL, SMALL, 3, {"replicas": 3}),
        (None, SMALL, 1, {"idleRequests": {"cpu": "50m", "memory": "64Mi"}}),
        (SMALL, IdleRequests(cpu="1"), 1, {"idleRequests": {"cpu": "1", "memory": None}}),
        (SMALL, None, 0, {"replicas": 0, "idleRequests": None}),
    ],
)
def test_a_pool_follows_what_is_wanted_now(
    before: IdleRequests | None, after: IdleRequests | None, replicas: int, change: dict[str, Any]
) -> None:
    pool = templates.runner_pool("shop", "wfv-1", PLAN, {"image": "shop:1"}, PodDefaults(idle_requests=before), 1)
    other = PodDefaults(cpu_ratio=0.5, idle_requests=after)
    assert templates.pool_change(pool, other, replicas) == change
