"""Health, metrics, and the OpenAPI document against what the server does."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from skerry_api.storage import schemas
from tests.integration.http.servers import Server


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

    monkeypatch.setattr(health, "_is_behind", lambda revision: True)
    response = await server.client.get("/readyz")
    assert (response.status_code, response.json()["code"]) == (503, "migrations_missing")
    assert str(schemas.head_revision()) in response.json()["message"]
    assert (await server.client.get("/healthz")).json() == {"status": "ok"}


async def test_metrics_are_in_prometheus_format(server: Server) -> None:
    await server.trigger()
    response = await server.client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    assert 'skerry_runs_submitted_total{task="echo",workflow="shop"} 1.0' in response.text


async def test_the_server_does_what_the_document_says(server: Server, tmp_path: Path) -> None:
    """Schemathesis sends right and wrong values to every operation and checks each reply against the document.

    Left out: following logs, which needs one of two names
    of the same parameter.
    """
    await server.run_to_end()
    server.app.state.streams.close()  # Waits and streams end at once.
    arguments = ["run", f"{server.client.base_url}/openapi.json", "--phases=examples,coverage", "--no-color"]
    arguments += [
        "--checks=all",
        "--exclude-operation-id=follow_logs",
        "--continue-on-failure",
        "--max-time=60",
    ]
    checking = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=tmp_path,
    )
    output, _ = await checking.communicate()
    assert checking.returncode == 0, output.decode()
