"""What a release takes from a request."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from skerry_api.http.schemas.workflows import VersionRequest, WorkflowRequest
from skerry_objects.workflows import WorkflowSpec

WARM = {"min": 2, "idleSeconds": 30}


@pytest.mark.parametrize(
    ("body", "source"),
    [
        ({"image": "shop:7"}, {"image": "shop:7"}),
        ({"image": "shop:7", "warm": WARM, "capacity": 4}, {"image": "shop:7", "warm": WARM, "capacity": 4}),
        ({"image": "shop:7", "isolation": "process"}, {"image": "shop:7", "isolation": "process"}),
        (
            {"image": "shop:7", "env": [{"name": "A", "value": "b"}]},
            {"image": "shop:7", "env": [{"name": "A", "value": "b"}]},
        ),
    ],
)
def test_only_what_was_given_is_changed_in_the_workflow_object(body: dict[str, Any], source: dict[str, Any]) -> None:
    assert VersionRequest.model_validate({"workflowId": "wfl-1", **body}).source() == source
    assert WorkflowRequest.model_validate({"name": "Shop", **body}).source() == source
    WorkflowSpec.model_validate(source)


@pytest.mark.parametrize("wrong", [{"warm": {"min": -1}}, {"capacity": 0}, {"isolation": "worker"}])
def test_what_no_workflow_object_may_say_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        VersionRequest.model_validate({"workflowId": "wfl-1", "image": "shop:7", **wrong})
