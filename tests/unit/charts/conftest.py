from pathlib import Path

import pytest

from tests.unit.charts.binaries import find_helm
from tests.unit.charts.renders import CHART, Helm, Rendered

SAMPLES = [None, *sorted((CHART / "ci").glob("*-values.yaml"))]


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(find_helm(), tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def defaults(helm: Helm) -> Rendered:
    """The chart as it is without any value."""
    return helm.render()


@pytest.fixture(scope="session")
def production(helm: Helm) -> Rendered:
    """The chart as in production."""
    return helm.render(values=[CHART / "ci" / "production-values.yaml"])


@pytest.fixture(scope="session", params=SAMPLES, ids=lambda path: path.stem if path else "defaults")
def sample(request: pytest.FixtureRequest, helm: Helm) -> Rendered:
    """The chart with each of the sample values."""
    path: Path | None = request.param
    return helm.render(values=[path] if path else [])
