"""Releases from images: by the command line, by REST, by kubectl; good ones and bad ones."""

from __future__ import annotations

from typing import Any

import pytest

from tests.end_to_end.clusters import CommandFailed, condition, eventually
from tests.end_to_end.installations import Installation

IMAGE = "localhost/skerry-faults:dev"


def workflow(name: str, **spec: Any) -> dict[str, Any]:
    """A Workflow object, as one keeps it in Git."""
    return {"apiVersion": "skerry.dev/v1alpha1", "kind": "Workflow", "metadata": {"name": name}, "spec": spec}


def judged(skerry: Installation, name: str) -> dict[str, Any]:
    """A Workflow's condition Ready, once it is about the newest spec and the release has come to an end."""

    def look() -> dict[str, Any]:
        found = skerry.tasks.get("workflow", name)
        answer = condition(found, "Ready")
        current = answer.get("observedGeneration") == found["metadata"]["generation"]
        return answer if current and answer["reason"] in ("Registered", "RegistrationFailed") else {}

    return eventually(look, 60)


def test_an_image_that_does_not_exist_leaves_the_version_before(skerry: Installation) -> None:
    skerry.deploy("steady", "faults")
    with pytest.raises(CommandFailed) as refused:
        skerry.cli("deploy", "steady", "--image", "localhost/no-such-image:1", "--wait")
    assert "no-such-image" in str(refused.value)
    answer = judged(skerry, "steady")
    assert answer["status"] == "False"
    assert "no-such-image" in answer["message"]
    assert skerry.finished(skerry.start("steady/quick", 1).id).results == [2]


def test_an_application_that_cannot_be_imported_is_explained(skerry: Installation) -> None:
    skerry.tasks.apply(workflow("nothing", image=IMAGE, app="tasks:no_such_app"))
    answer = judged(skerry, "nothing")
    assert (answer["status"], answer["reason"]) == ("False", "RegistrationFailed")
    assert "no_such_app" in answer["message"]


def test_runs_stay_on_the_version_they_began_on(skerry: Installation) -> None:
    skerry.tasks.apply(workflow("rolling", image=IMAGE))
    assert judged(skerry, "rolling")["status"] == "True"
    old = skerry.start("rolling/fan_out", 2, 5)
    skerry.begun(old.id)
    skerry.tasks.apply(workflow("rolling", image=IMAGE, env=[{"name": "RELEASE", "value": "2"}]))
    assert judged(skerry, "rolling")["status"] == "True"
    new = skerry.start("rolling/quick", 1)
    assert skerry.finished(old.id).status == skerry.finished(new.id).status == "succeeded"
    versions = {each["spec"]["version"] for each in skerry.tasks.get("taskruns") if each["spec"]["runID"] == old.id}
    with skerry.client() as client:
        children = {each.id for each in client.runs.list(root_run_id=old.id)}
    task_runs = [each["spec"] for each in skerry.tasks.get("taskruns")]
    assert {each["version"] for each in task_runs if each["runID"] in children} == versions
    assert {each["version"] for each in task_runs if each["runID"] == new.id}.isdisjoint(versions)


def test_rest_writes_the_same_object(skerry: Installation) -> None:
    with skerry.client() as client:
        client.workflows.create("by-rest", image=IMAGE, env=[{"name": "RELEASE", "value": "rest"}])
    assert judged(skerry, "by-rest")["status"] == "True"
    assert skerry.tasks.get("workflow", "by-rest")["spec"]["image"] == IMAGE
    assert skerry.finished(skerry.start("by-rest/quick", 1).id).results == [2]
