import json
from pathlib import Path

import pytest

from skerry.cli import settings
from tests.unit.cli.conftest import Cli
from tests.unit.cli.samples import TIME
from tests.unit.cli.servers import FakeServer

KEY = {
    "id": "key-1",
    "name": "ci",
    "scopes": ["read"],
    "prefix": "sk_ab",
    "createdAt": TIME.format(0),
    "lastUsedAt": None,
}


def test_a_new_key_is_the_only_thing_on_stdout(cli: Cli, server: FakeServer) -> None:
    server.answer("POST", "/v1/api-keys", {"apiKey": KEY, "key": "sk_abc"}, 201)
    result = cli("keys", "create", "ci", "--scope", "read", "--workflow", "shop")
    assert result.stdout == "sk_abc\n"
    assert "not shown again" in result.stderr
    assert server.requests[0].body == {"name": "ci", "scopes": ["read"], "workflow": "shop"}
    assert json.loads(cli("keys", "create", "ci", "--json").stdout)["key"] == "sk_abc"
    assert server.requests[1].body == {"name": "ci", "scopes": ["read", "trigger"]}


def test_unknown_scopes_are_refused_before_asking(cli: Cli, server: FakeServer) -> None:
    assert cli("keys", "create", "ci", "--scope", "root").exit_code == 2
    assert server.requests == []


def test_list_and_revoke(cli: Cli, server: FakeServer) -> None:
    server.answer("GET", "/v1/api-keys", [{"apiKey": KEY, "cursor": "c"}])
    server.answer("DELETE", "/v1/api-keys/key-1", None, 204)
    assert "sk_ab…" in cli("keys", "list").stdout
    assert "never" in cli("keys", "list").stdout
    assert cli("keys", "revoke", "key-1").stdout == "Revoked key-1\n"


def test_login_checks_and_stores_the_key_which_is_then_used(
    cli: Cli, server: FakeServer, config_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer("GET", "/v1/tasks", [])
    result = cli("login", "--url", server.url, stdin="sk_secret\n")
    assert result.exit_code == 0
    assert "SKERRY_URL is set" in result.stderr
    assert "sk_secret" not in result.output
    monkeypatch.delenv("SKERRY_URL")
    cli("tasks", "list")
    assert [request.key for request in server.requests] == ["Bearer sk_secret"] * 2


def test_login_stores_nothing_the_server_refuses(cli: Cli, server: FakeServer, config_home: Path) -> None:
    server.refuse("GET", "/v1/tasks", 401, "unauthorized", "The API key is not known.")
    result = cli("login", "--url", server.url, stdin="sk_bad\n")
    assert result.exit_code == 1
    assert "not known" in result.stderr
    assert settings.load() is None


def test_login_accepts_a_key_that_may_only_start_runs(cli: Cli, server: FakeServer, config_home: Path) -> None:
    server.refuse("GET", "/v1/tasks", 403, "forbidden", "The key lacks the scope read.")
    assert cli("login", "--url", server.url, stdin="sk_t\n").exit_code == 0
    assert settings.load() == settings.Settings(server.url, "sk_t")


def test_the_environment_key_is_sent(cli: Cli, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answer("GET", "/v1/plans", [])
    cli("plans")
    monkeypatch.setenv("SKERRY_API_KEY", "sk_env")
    cli("plans")
    assert [request.key for request in server.requests] == [None, "Bearer sk_env"]
