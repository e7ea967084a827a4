"""The custom resource definitions are those of the typed classes, kept on uninstall, and can be left out."""

from typing import Any

import pytest
import yaml

from skerry_objects import crds
from tests.unit.charts.renders import CHART, Helm, Rendered

FILES = CHART / "crd-files"


def test_the_charts_files_are_what_the_classes_generate(tmp_path: Any) -> None:
    crds.main(str(tmp_path))
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert {path.name: path.read_text() for path in FILES.iterdir()} == made, (
        "run: python -m skerry_objects.crds charts/skerry/crd-files"
    )


@pytest.mark.parametrize("of", crds.DEFINITIONS, ids=lambda of: of.kind)
def test_helm_installs_them_unchanged_and_keeps_them(defaults: Rendered, of: crds.Definition) -> None:
    wanted = crds.definition(of)
    rendered = defaults.one("CustomResourceDefinition", wanted["metadata"]["name"])
    assert rendered["spec"] == yaml.safe_load(yaml.safe_dump(wanted["spec"]))
    assert rendered["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_they_can_be_left_to_another_release(helm: Helm) -> None:
    assert not helm.render("crds.install=false").all("CustomResourceDefinition")


def test_roles_name_resources_that_are_defined(defaults: Rendered) -> None:
    defined = {of.plural for of in crds.DEFINITIONS}
    for role in [*defaults.all("Role"), *defaults.all("ClusterRole")]:
        for rule in role["rules"]:
            if rule["apiGroups"] == ["skerry.dev"]:
                assert {resource.partition("/")[0] for resource in rule["resources"]} <= defined
