"""Arguments and environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from skerry_runner.commands import settings_from
from skerry_runner.settings import user_environment

REQUIRED = ["--url", "http://127.0.0.1:8120", "--runner", "rnr-1", "--pool", "p", "--version", "wfv-1"]


def test_everything_behind_two_dashes_is_the_program() -> None:
    settings = settings_from([*REQUIRED, "--capacity", "4", "--", "node", "main.js", "--url", "x"])
    assert settings.command == settings.program == ("node", "main.js", "--url", "x")
    assert settings.url == "http://127.0.0.1:8120"
    assert settings.capacity == 4
    assert not settings.forks


@pytest.mark.parametrize(
    ("arguments", "forks"),
    [([], True), (["--no-preload"], False), (["--isolation", "worker"], False), (["--isolation", "container"], True)],
)
def test_applications_are_forked_unless_told_otherwise(arguments: list[str], forks: bool) -> None:
    settings = settings_from([*REQUIRED, *arguments, "--app", "main:app"])
    assert settings.forks is forks
    assert settings.program[1:] == ("-m", "skerry.runtime", "main:app")


def test_the_one_run_of_a_pod_is_carried_out_by_the_process_that_imports_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SKERRY_PINNED_ATTEMPT", "att-1")
    assert not settings_from([*REQUIRED, "--isolation", "container", "--app", "main:app"]).forks


def test_container_takes_one_attempt() -> None:
    assert settings_from([*REQUIRED, "--isolation", "container", "--capacity", "9", "--app", "a"]).capacity == 1


def test_a_folder_for_sockets_does_not_depend_on_where_user_code_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings_from([*REQUIRED, "--sockets", "s", "--app", "a"]).sockets == tmp_path / "s"
    assert settings_from([*REQUIRED, "--app", "a"]).sockets is None


@pytest.mark.parametrize("arguments", [[], ["--app", "a", "--", "b"], ["--app", "a", "--isolation", "none"]])
def test_mistakes_are_usage_errors(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_status:
        settings_from([*REQUIRED, *arguments])
    assert exit_status.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_rotated_token_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKERRY_RUNNER_TOKEN_FILE", str(tmp_path / "token"))
    settings = settings_from([*REQUIRED, "--app", "a"])
    for token in ("one", "two"):
        (tmp_path / "token").write_text(token + "\n")
        assert settings.current_token() == token


@pytest.mark.parametrize(("mode", "render_mode"), [("run", "run"), ("worker", "run"), ("register", "register")])
def test_user_code_finds_its_socket_but_no_secrets(
    mode: str, render_mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKERRY_RUNNER_TOKEN", "secret")
    monkeypatch.setenv("OWN", "kept")
    environment = user_environment(mode, "/s.sock")
    assert environment["SKERRY_SDK_MODE"] == mode
    assert environment["RENDER_SDK_MODE"] == render_mode
    assert environment["SKERRY_SDK_SOCKET_PATH"] == environment["RENDER_SDK_SOCKET_PATH"] == "/s.sock"
    assert environment["OWN"] == "kept"
    assert "SKERRY_RUNNER_TOKEN" not in environment
