import subprocess
import sys
import time

import pytest

from skerry import errors
from skerry.cli import commands, connections
from tests.unit.cli.conftest import Cli
from tests.unit.cli.servers import FakeServer


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_every_command_explains_itself(cli: Cli, name: str) -> None:
    result = cli(name, "--help")
    assert result.exit_code == 0
    assert f"Usage: skerry {name}" in result.stdout
    assert "Examples:" in result.stdout or name in ("plans",)


def test_help_imports_no_command_and_no_heavy_library() -> None:
    program = (
        "import sys\nsys.argv = ['skerry', '--help']\nfrom skerry.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "print(sorted({'httpx', 'rich.console', 'pydantic', 'skerry.cli.runs', 'skerry.clients'} & set(sys.modules)))"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=20
    ).stdout
    assert output.splitlines()[-1] == "[]"
    assert "skerry init hello" in output


def test_a_mistyped_command_gets_a_suggestion(cli: Cli) -> None:
    result = cli("rnus", "list")
    assert result.exit_code == 2
    assert "Did you mean 'runs'?" in result.stderr


def test_the_version_is_told(cli: Cli) -> None:
    assert cli("--version").stdout.startswith("skerry ")


def test_an_unreachable_server_is_one_line_and_a_hint(cli: Cli) -> None:
    began = time.monotonic()
    result = cli("runs", "list", "--url", "http://127.0.0.1:9")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == "Error: Cannot reach http://127.0.0.1:9."
    assert "Is `skerry dev` running?" in result.stderr
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [(401, "unauthorized", "skerry login"), (403, "forbidden", "other scopes")],
)
def test_refusals_say_what_to_do(cli: Cli, server: FakeServer, status: int, code: str, hint: str) -> None:
    server.refuse("POST", "/v1/api-keys", status, code, "Not now.")
    result = cli("keys", "create", "ci")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: Not now.\n")
    assert hint in result.stderr


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (errors.ServerUnavailable("No database.", status=503, code="unavailable"), "cannot work right now"),
        (
            errors.RateLimited("Too much.", status=429, code="rate_limited", retry_after_seconds=7.2),
            "Try again in 7 s.",
        ),
        (errors.RateLimited("Too much.", status=429, code="rate_limited"), "Try again in a moment."),
        (errors.Conflict("Not now.", status=409, code="conflict"), ""),
    ],
)
def test_what_may_pass_is_said_to(error: errors.ApiError, hint: str) -> None:
    refused = connections.refusal(error, "http://127.0.0.1:8120")
    assert refused.message == error.message
    assert hint in (refused.hint or "")


@pytest.mark.parametrize("status", [200, 404])
def test_another_kind_of_server_is_recognized(cli: Cli, server: FakeServer, status: int) -> None:
    server.answer("GET", "/v1/task-runs", b"<html>welcome</html>", status)
    result = cli("runs", "list")
    assert result.exit_code == 1
    assert "Is this the URL of a Skerry server?" in result.stderr


def test_missing_libraries_are_named() -> None:
    program = (
        "import importlib.util, sys\nfrom skerry.cli import main\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'typer' else find(name, *rest)\n"
        "main()"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=20)
    assert ended.returncode == 2
    assert "pip install 'skerry[cli]'" in ended.stderr
