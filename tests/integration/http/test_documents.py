"""Health, metrics, and the OpenAPI document against what the server does."""

from __future__ import annotations

from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig

from skerry_api.storage import schemas
from tests.integration.http.servers import Server

# Streams do not end while their runs go on; releasing an image is always refused by a local server.
_NOT_TRIED = ("follow_runs", "follow_logs", "create_version")


async def document(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = (await server.client.get("/openapi.json")).json()
    return found


async def test_every_operation_is_documented(server: Server) -> None:
    paths = (await document(server))["paths"]
    operations = [operation for path in paths.values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert all(operation["summary"] and operation["description"] for operation in operations)
    for path, methods in paths.items():
        for operation in methods.values():
            assert not path.startswith("/v1/") or {"401", "403", "422", "503"} <= operation["responses"].keys(), path


async def test_keys_are_documented_where_they_are_needed(locked_server: Server, server: Server) -> None:
    locked, free = await document(locked_server), await document(server)
    assert locked["paths"]["/v1/task-runs"]["post"]["security"] == [{"apiKey": []}]
    assert locked["paths"]["/healthz"]["get"]["security"] == []
    assert free["paths"]["/v1/task-runs"]["post"]["security"] == []


async def test_readiness_needs_every_migration(server: Server, monkeypatch: Any) -> None:
    from skerry_api.http import health

    monkeypatch.setattr(health, "_newest_revision", lambda: "9999")
    response = await server.client.get("/readyz")
    assert (response.status_code, response.json()["code"]) == (503, "migrations_missing")
    assert schemas.head_revision() in response.json()["message"]
    assert (await server.client.get("/healthz")).json() == {"status": "ok"}


async def test_metrics_are_in_prometheus_format(server: Server) -> None:
    await server.trigger()
    response = await server.client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    assert 'skerry_runs_submitted_total{task="echo",workflow="shop"} 1.0' in response.text
