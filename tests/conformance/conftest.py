"""The servers and clients of the suite: one server for each published SDK, one for a program without any."""

import dataclasses
import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from .clients import SdkClient
from .environments import installed_environment
from .servers import WORKFLOW, DevServer


@dataclasses.dataclass(frozen=True)
class Release:
    """A published SDK: its environment, its import name, and how its program and client are started."""

    environment: str
    package: str
    program: tuple[str, ...]
    variables: Mapping[str, str] = dataclasses.field(hash=False)


# The two are started in the two ways their documentation shows: as a script, and by the SDK's own command.
# 0.6.0 insists on a token even where none is needed.
LATEST = Release("render-1.5.0", "render", ("python", "render_1_5_0.py"), {})
FIRST = Release(
    "render_sdk-0.6.0", "render_sdk", ("render-workflows", "render_sdk_0_6_0:app"), {"RENDER_API_KEY": "rnd_any"}
)


@dataclasses.dataclass(frozen=True, repr=False)
class Sdk:
    """A server whose tasks use one SDK release, and that release's client talking to it."""

    release: Release
    server: DevServer
    client: SdkClient

    @property
    def has_context(self) -> bool:
        """Whether tasks receive a context with run ids, and clients and subtasks send idempotency keys."""
        return self.release.package == "render"

    def run(self, task: str, input: Any = None, **options: Any) -> dict[str, Any]:
        """Run `task` with the SDK's client and wait for its details."""
        return dict(self.client.call("run", task=f"{WORKFLOW}/{task}", input=[] if input is None else input, **options))

    def value(self, task: str, input: Any = None) -> Any:
        """The single result of running `task`."""
        (value,) = self.run(task, input)["results"]
        return value


class Releases:
    """Starts the server and the client of a release when a test first asks for it, and keeps both until the end."""

    def __init__(self, cleanup: ExitStack) -> None:
        self._cleanup = cleanup
        self._started: dict[Release, Sdk] = {}

    def __getitem__(self, release: Release) -> Sdk:
        if release not in self._started:
            self._started[release] = self._start(release)
        return self._started[release]

    def _start(self, release: Release) -> Sdk:
        bin_folder = installed_environment(release.environment) / "bin"
        folder = _folder(self._cleanup, release.environment)
        program, *arguments = release.program
        server = self._cleanup.enter_context(DevServer([str(bin_folder / program), *arguments], folder))
        variables = {"RENDER_LOCAL_DEV_URL": server.url, **release.variables}
        client = SdkClient(bin_folder / "python", release.package, variables, folder / "client.log")
        return Sdk(release, server, self._cleanup.enter_context(client))


@pytest.fixture(scope="session")
def releases() -> Iterator[Releases]:
    with ExitStack() as cleanup:
        yield Releases(cleanup)


@pytest.fixture(params=[LATEST, FIRST], ids=lambda release: release.environment)
def sdk(request: pytest.FixtureRequest, releases: Releases) -> Sdk:
    """Each release in turn: for what depends on its client or on how its tasks talk."""
    return releases[request.param]


@pytest.fixture
def latest(releases: Releases) -> Sdk:
    """One release: for what only the server decides."""
    return releases[LATEST]


@pytest.fixture(scope="session")
def by_hand() -> Iterator[DevServer]:
    """A server whose tasks speak the socket protocol without an SDK."""
    with ExitStack() as cleanup:
        folder = _folder(cleanup, "by-hand")
        yield cleanup.enter_context(DevServer([sys.executable, "by_hand.py"], folder))


def _folder(cleanup: ExitStack, name: str) -> Path:
    """A folder outside pytest's own.

    Started as root, the embedded database runs as another user; every start of pytest closes pytest's folder to
    others, and would take the database away from a server that is running.
    """
    return Path(cleanup.enter_context(TemporaryDirectory(prefix=f"skerry-{name}-", ignore_cleanup_errors=True)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of the server's log with every failure."""
    report = yield
    if report.failed:
        for used in item.funcargs.values():
            server = used.server if isinstance(used, Sdk) else used
            if isinstance(server, DevServer):
                report.sections.append(("server log", server.log_tail()))
    return report
