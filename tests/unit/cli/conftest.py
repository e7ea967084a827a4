"""Fixtures of the command line's tests."""

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from skerry.cli.commands import app
from tests.unit.cli.servers import FakeServer, Listener

Cli = Callable[..., Result]


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer()
    with Listener(fake):
        yield fake


@pytest.fixture
def config_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("SKERRY_URL", "SKERRY_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "skerry"


@pytest.fixture
def cli(server: FakeServer, config_home: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs the command line against the fake server. Takes words, or one line that is split as a shell would."""
    monkeypatch.setenv("SKERRY_URL", server.url)

    def invoke(*arguments: str, stdin: str | None = None) -> Result:
        words = arguments if len(arguments) > 1 else shlex.split(arguments[0])
        return CliRunner().invoke(app, words, input=stdin, prog_name="skerry", catch_exceptions=False)

    return invoke
