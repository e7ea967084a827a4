"""Objects as the control plane writes them."""

from __future__ import annotations

from skerry_api.domain.plans import GIB, Plan
from skerry_api.executors.kubernetes import templates
from skerry_api.executors.kubernetes.templates import PodDefaults
from skerry_objects.workflows import WorkflowSpec

PLAN = Plan("standard", 1, 2 * GIB)


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
    spec = WorkflowSpec(image="shop:1", app="main:app")
    name = templates.version_name(templates.source_of(spec))
    again = WorkflowSpec(image="shop:1", app="main:app", concurrency_limit=5)
    other = WorkflowSpec(image="shop:1", app="main:app", env=[{"name": "A", "value": "b"}])
    assert templates.version_name(templates.source_of(again)) == name
    assert templates.version_name(templates.source_of(other)) != name
