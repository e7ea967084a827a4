"""API keys: what each may do, and how soon that changes."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from skerry_api.domain import ids
from skerry_api.http import authorisations
from skerry_api.http.keys import new_secret
from skerry_api.storage import keys
from skerry_api.storage.runners import hash_secret
from tests.integration.http.servers import Server


async def insert(server: Server, *scopes: str, workflow: str | None = None) -> dict[str, str]:
    """Store a key; answers the header that carries it."""
    secret = new_secret()
    values = {
        "id": ids.new_id(ids.KEY),
        "name": "test",
        "key_hash": hash_secret(secret),
        "prefix": secret[:8],
        "scopes": list(scopes),
        "workflow": workflow,
    }
    async with server.engine.database.transaction() as connection:
        await keys.insert_key(connection, values)
    return {"authorization": f"Bearer {secret}"}


PROBES: list[tuple[str, str, str, Any]] = [
    ("read", "GET", "/v1/task-runs", None),
    ("read", "GET", "/v1/task-runs/trn-x", None),
    ("read", "GET", "/v1/task-runs/trn-x/tree", None),
    ("read", "GET", "/v1/task-runs/trn-x/logs", None),
    ("read", "GET", "/v1/task-runs/events?taskRunIds=trn-x", None),
    ("read", "GET", "/v1/logs", None),
    ("read", "GET", "/v1/logs/values?label=level", None),
    ("read", "GET", "/v1/logs/subscribe?taskRun=trn-x", None),
    ("read", "GET", "/v1/tasks", None),
    ("read", "GET", "/v1/workflows", None),
    ("read", "GET", "/v1/workflowversions", None),
    ("read", "GET", "/v1/plans", None),
    ("read", "GET", "/v1/pools", None),
    ("read", "GET", "/v1/usage", None),
    ("read", "GET", "/v1/metrics/task-runs-completed", None),
    ("read", "GET", "/v1/metrics/task-runs-queued", None),
    ("trigger", "POST", "/v1/task-runs", {"task": "shop/echo"}),
    ("trigger", "POST", "/v1/task-runs/batch", {"taskRuns": [{"task": "shop/echo"}]}),
    ("trigger", "DELETE", "/v1/task-runs/trn-x", None),
    ("trigger", "POST", "/v1/task-runs/trn-x/retry", None),
    ("admin", "POST", "/v1/workflows", {"name": "other"}),
    ("admin", "PATCH", "/v1/workflows/wfl-x", {"name": "other"}),
    ("admin", "DELETE", "/v1/workflows/wfl-x", None),
    ("admin", "POST", "/v1/workflowversions", {"workflowId": "wfl-x"}),
    ("admin", "POST", "/v1/api-keys", {"name": "x", "scopes": ["read"]}),
    ("admin", "GET", "/v1/api-keys", None),
    ("admin", "DELETE", "/v1/api-keys/key-x", None),
]


async def request(server: Server, method: str, path: str, body: Any, headers: dict[str, str]) -> httpx.Response:
    return await server.client.request(method, path, json=body, headers=headers)


async def test_every_route_needs_a_key_with_its_scope(locked_server: Server) -> None:
    headers = {scope: await insert(locked_server, scope) for scope in ("read", "trigger", "admin")}
    order = list(headers)
    for needed, method, path, body in PROBES:
        for given in ({}, {"authorization": "Bearer sk_unknown"}, {"authorization": "Basic eDp5"}):
            response = await request(locked_server, method, path, body, given)
            assert response.status_code == 401, path
            assert response.headers["www-authenticate"].startswith("Bearer")
        for scope in order:
            status = (await request(locked_server, method, path, body, headers[scope])).status_code
            if order.index(scope) < order.index(needed):
                assert status == 403, (path, scope)
            else:
                assert status not in (401, 403), (path, scope)


async def test_machines_need_no_key(locked_server: Server) -> None:
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
        assert (await locked_server.client.get(path)).status_code == 200


async def test_a_key_of_a_workflow_sees_only_that(locked_server: Server) -> None:
    server = locked_server
    everything = await insert(server, "admin")
    await server.register("other")
    await server.register("shop")
    limited = await insert(server, "admin", workflow="shop")
    started = await request(server, "POST", "/v1/task-runs", {"task": "other/echo"}, everything)
    hidden, body = started.json()["id"], {"task": "shop/echo"}
    own = (await request(server, "POST", "/v1/task-runs", body, limited)).json()["id"]
    for method, path in (
        ("GET", f"/v1/task-runs/{hidden}"),
        ("GET", f"/v1/task-runs/{hidden}/tree"),
        ("GET", f"/v1/task-runs/{hidden}/logs"),
        ("GET", f"/v1/task-runs/events?taskRunIds={own},{hidden}"),
        ("GET", f"/v1/logs/subscribe?taskRun={hidden}"),
        ("DELETE", f"/v1/task-runs/{hidden}"),
        ("POST", f"/v1/task-runs/{hidden}/retry"),
    ):
        response = await request(server, method, path, None, limited)
        assert (response.status_code, response.json()["code"]) == (404, "run_not_found"), path
    assert (await request(server, "POST", "/v1/task-runs", {"task": "other/echo"}, limited)).status_code == 404
    runs = (await request(server, "GET", "/v1/task-runs", None, limited)).json()
    assert [entry["taskRun"]["id"] for entry in runs] == [own]
    assert (await request(server, "GET", "/v1/task-runs?workflow=other", None, limited)).json() == []
    for path, thing in (("workflows", "workflow"), ("tasks", "task"), ("workflowversions", "workflowVersion")):
        shown = (await request(server, "GET", f"/v1/{path}", None, limited)).json()
        all_of_them = (await request(server, "GET", f"/v1/{path}", None, everything)).json()
        assert 0 < len(shown) < len(all_of_them)
        other = next(entry for entry in all_of_them if entry not in shown)
        response = await request(server, "GET", f"/v1/{path}/{other[thing]['id']}", None, limited)
        assert response.status_code == 404
    for path in ("/v1/usage?workflow=other", "/v1/logs?resource=other", "/v1/metrics/task-runs-queued"):
        assert "other/" not in (await request(server, "GET", path, None, limited)).text
    assert (await request(server, "GET", "/v1/api-keys", None, limited)).status_code == 403
    assert (await request(server, "POST", "/v1/workflows", {"name": "x"}, limited)).status_code == 403


async def test_a_key_is_shown_once_listed_and_revoked(locked_server: Server) -> None:
    server = locked_server
    admin = await insert(server, "admin")
    body = {"name": "ci", "scopes": ["trigger", "read"], "workflow": "shop"}
    created = await request(server, "POST", "/v1/api-keys", body, admin)
    assert created.status_code == 201
    key, secret = created.json()["apiKey"], created.json()["key"]
    assert secret.startswith(key["prefix"])
    assert key["lastUsedAt"] is None
    headers = {"authorization": f"bearer {secret}"}
    assert (await request(server, "GET", "/v1/task-runs", None, headers)).status_code == 200
    listed = await request(server, "GET", "/v1/api-keys", None, admin)
    entry = listed.json()[0]["apiKey"]
    assert entry["id"] == key["id"]
    assert entry["lastUsedAt"] is not None
    assert secret not in listed.text
    assert (await request(server, "DELETE", f"/v1/api-keys/{key['id']}", None, admin)).status_code == 204
    assert (await request(server, "GET", "/v1/task-runs", None, headers)).status_code == 401
    assert (await request(server, "DELETE", f"/v1/api-keys/{key['id']}", None, admin)).status_code == 404


async def test_a_key_revoked_elsewhere_is_refused_soon(locked_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server = locked_server
    headers = await insert(server, "read")
    assert (await request(server, "GET", "/v1/task-runs", None, headers)).status_code == 200
    async with server.engine.database.transaction() as connection:
        (stored,) = await keys.fetch_keys(connection, 10)
        assert await keys.revoke_key(connection, stored["id"])
    assert (await request(server, "GET", "/v1/task-runs", None, headers)).status_code == 200
    later = server.app.state.keys._clock() + authorisations.CACHE_SECONDS
    monkeypatch.setattr(server.app.state.keys, "_clock", lambda: later)
    assert (await request(server, "GET", "/v1/task-runs", None, headers)).status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8120", "localhost.evil.example", ""])
async def test_a_server_without_keys_answers_to_this_machine_only(server: Server, host: str) -> None:
    response = await server.client.get("/v1/task-runs", headers={"host": host})
    assert (response.status_code, response.json()["code"]) == (403, "host_not_allowed")


async def test_pages_of_other_hosts_may_not_use_a_server_without_keys(server: Server) -> None:
    own = str(server.client.base_url).rstrip("/")
    for origin, status in (("http://evil.example", 403), ("null", 403), (own, 200)):
        response = await server.client.get("/v1/task-runs", headers={"origin": origin})
        assert response.status_code == status
    response = await server.client.get("/v1/task-runs", headers={"authorization": "Bearer whatever"})
    assert response.status_code == 200
