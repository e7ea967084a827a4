"""Who may choose what of a Pod, and the template that an installation gives all of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from skerry_api.commands import _settings
from skerry_api.domain.errors import InvalidRequest
from skerry_objects.models import Model
from skerry_objects.pod_templates import Code, PodOverrides, PodTemplate, SharedTemplate

CHART = Path(__file__).parents[3] / "charts" / "skerry"


def fields(*models: type[Model]) -> set[str]:
    return {field.alias or name for model in models for name, field in model.model_fields.items()}


def test_a_runner_pool_has_all_of_it() -> None:
    assert fields(PodTemplate) == fields(Code, PodOverrides)
    assert fields(SharedTemplate) < fields(PodTemplate)


def test_a_workflow_says_in_one_place_what_its_code_is() -> None:
    assert not fields(Code) & fields(PodOverrides)


def test_plans_and_code_are_not_the_installations() -> None:
    assert not {"resources", "image", "app", "command"} & fields(SharedTemplate)


def test_the_chart_takes_nothing_that_the_control_plane_refuses() -> None:
    values = json.loads((CHART / "values.schema.json").read_text())
    assert values["definitions"]["podTemplate"]["properties"].keys() <= fields(SharedTemplate)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"nodeSelecter": {}}, "nodeSelecter: there is no such key"),
        ({"resources": {"limits": {"cpu": 1}}}, "resources: there is no such key"),
        ({"image": "shop:1"}, "image: there is no such key"),
        ({"env": [{"name": "A", "vlaue": "1"}]}, "env.0.vlaue: there is no such key"),
        ({"imagePullSecrets": [{"name": "r", "key": "k"}]}, "imagePullSecrets.0.key: there is no such key"),
        ({"volumes": [{"emptyDir": {}}]}, "volumes.0: name is missing"),
        (
            {"env": [{"name": "SKERRY_URL", "value": "http://evil"}]},
            "env.0.name: the operator sets this variable itself",
        ),
    ],
)
def test_a_mistake_in_the_installations_template_ends_the_start(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], words: str
) -> None:
    monkeypatch.setenv("SKERRY_POD_TEMPLATE", json.dumps(given))
    with pytest.raises(InvalidRequest, match=re.escape(words)) as refused:
        _settings()
    assert "SKERRY_POD_TEMPLATE" in refused.value.message


def test_the_installations_template_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "runtimeClassName": "gvisor",
        "imagePullSecrets": [{"name": "registry"}],
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "volumes": [{"name": "cache", "hostPath": {"path": "/cache"}}],
        "volumeMounts": [{"name": "cache", "mountPath": "/cache", "readOnly": True}],
        "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
    }
    monkeypatch.setenv("SKERRY_POD_TEMPLATE", json.dumps(given))
    assert _settings().pod_template == given
