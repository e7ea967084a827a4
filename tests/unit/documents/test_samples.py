"""What readers will copy works: objects, values and the places that links name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from skerry_objects.names import API_VERSION, GROUP
from skerry_objects.runner_pools import RunnerPool
from skerry_objects.task_runs import TaskRun
from skerry_objects.workflows import Workflow
from tests.unit.documents.pages import CHART, PAGES, Json, blocks, documents, title, words
from tests.unit.objects.schemas import problems

KINDS = {kind.__name__: kind for kind in (TaskRun, RunnerPool, Workflow)}
VALUES: Json = yaml.safe_load((CHART / "values.yaml").read_text())
# Whose keys are free: what is below them is not in values.yaml.
OPEN = ("tasks.template", "plans", "podAnnotations", "annotations")

every_page = pytest.mark.parametrize("page", PAGES, ids=title)


def is_ours(document: Json) -> bool:
    return str(document.get("apiVersion", "")).startswith(f"{GROUP}/")


def test_there_is_a_workflow_to_copy() -> None:
    assert any(document["kind"] == "Workflow" for page in PAGES for document in documents(page) if is_ours(document))


@every_page
def test_objects_are_accepted(page: Path) -> None:
    for document in filter(is_ours, documents(page)):
        assert document["apiVersion"] == API_VERSION
        KINDS[document["kind"]].model_validate(document)
        assert problems(document["kind"], document["spec"]) == []


@every_page
def test_other_yaml_is_values_of_the_chart(page: Path) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    for document in documents(page):
        if not is_ours(document):
            jsonschema.validate(_merged(VALUES, document), schema)


@every_page
def test_values_that_are_named_exist(page: Path) -> None:
    named = {word for word in words(page) if re.fullmatch(r"[a-z]\w*(\.\w+)+(=\S*)?", word)}
    named |= {found for block in blocks(page, "sh") for found in re.findall(r"--set(?:-string)? (\S+=)", block)}
    paths = {name.partition("=")[0] for name in named}
    ours = {path for path in paths if path.partition(".")[0] in VALUES and not any(key in path for key in OPEN)}
    assert {path for path in ours if not _has(VALUES, path.split("."))} == set()


@every_page
def test_headings_that_links_name_exist(page: Path) -> None:
    for target, heading in re.findall(r"\]\((?!https?://)([^)#\s]*)#([^)\s]+)\)", page.read_text()):
        assert heading in _headings((page.parent / target) if target else page), f"{target}#{heading}"


def _headings(page: Path) -> set[str]:
    """As GitHub makes anchors of them."""
    texts = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in texts}


def _has(values: Any, path: list[str]) -> bool:
    for key in path:
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True


def _merged(values: Json, changes: Json) -> Json:
    both = {key: _merged(values[key], changes[key]) for key in changes if isinstance(values.get(key), dict)}
    return {**values, **changes, **both}
