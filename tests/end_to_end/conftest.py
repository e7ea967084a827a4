"""One installation of the chart for all end-to-end tests, and the invariants after each."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from tests.end_to_end.installations import Installation, installed


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add an option for those who write these tests."""
    parser.addoption("--keep", action="store_true", help="leave Skerry installed, and take it as it is next time")


@pytest.fixture(scope="session")
def installation(request: pytest.FixtureRequest) -> Iterator[Installation]:
    """Skerry, installed by helm, with the workflows `generation-loop` and `faults`."""
    with installed(keep=request.config.getoption("--keep")) as installation:
        installation.deploy("generation-loop", "generation-loop")
        installation.deploy("faults", "faults")
        yield installation


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show beside a failure how the cluster stands."""
    report = yield
    installation = getattr(item, "funcargs", {}).get("installation")
    if report.failed and isinstance(installation, Installation):
        report.sections.append(("the cluster", installation.circumstances()))
    return report


@pytest.fixture
def skerry(installation: Installation) -> Iterator[Installation]:
    """The installation; after the test, whatever it did, the invariants hold and nothing runs."""
    yield installation
    installation.idle()
    installation.check()
