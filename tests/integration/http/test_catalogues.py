"""Workflows, versions, tasks, plans and pools."""

from __future__ import annotations

from typing import Any

import pytest

from skerry_api.storage import workflows
from skerry_api.storage.pools import PoolRecord, write_pools
from tests.integration.http.servers import Server


async def test_a_workflow_is_made_changed_and_removed(server: Server) -> None:
    created = await server.client.post("/v1/workflows", json={"name": "My Bakery!", "isolation": "worker"})
    assert created.status_code == 201
    workflow = created.json()
    assert (workflow["slug"], workflow["isolation"], workflow["retentionDays"]) == ("my-bakery", "worker", 30)
    path = f"/v1/workflows/{workflow['id']}"
    changed = await server.client.patch(path, json={"concurrencyLimit": 3, "name": "Bakery"})
    assert changed.status_code == 200
    assert (changed.json()["concurrencyLimit"], changed.json()["name"]) == (3, "Bakery")
    assert (await server.client.patch(path, json={"retentionDays": 7})).json()["concurrencyLimit"] == 3
    assert (await server.client.patch(path, json={"concurrencyLimit": None})).json()["concurrencyLimit"] is None
    assert (await server.client.patch(path, json={})).json()["retentionDays"] == 7
    assert (await server.client.delete(path)).status_code == 204
    for response in (await server.client.get(path), await server.client.delete(path)):
        assert (response.status_code, response.json()["code"]) == (404, "workflow_not_found")


async def test_a_slug_is_given_once(server: Server) -> None:
    response = await server.client.post("/v1/workflows", json={"name": "Shop"})
    assert (response.status_code, response.json()["code"]) == (409, "workflow_exists")


async def test_a_workflow_with_open_runs_is_not_removed(server: Server) -> None:
    await server.trigger()
    response = await server.client.delete(f"/v1/workflows/{server.workflow_id}")
    assert (response.status_code, response.json()["code"]) == (409, "workflow_in_use")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "!!!"}, "slug"),
        ({"name": "a\x00"}, "name"),
        ({"name": "a", "slug": "A"}, "slug"),
        ({"name": "a", "slug": "a\n"}, "slug"),
        ({"name": "a", "isolation": "none"}, "isolation"),
        ({"name": "a", "concurrencyLimit": 0}, "concurrencyLimit"),
        ({"name": "a", "retentionDays": 10**12}, "retentionDays"),
        ([], "body"),
    ],
)
async def test_wrong_workflows_are_refused_by_name(server: Server, fields: Any, field: str) -> None:
    response = await server.client.post("/v1/workflows", json=fields)
    assert response.status_code == 422
    assert [detail["field"] for detail in response.json()["details"]] == [field]


async def test_workflows_are_listed_with_their_current_version(server: Server) -> None:
    await server.client.post("/v1/workflows", json={"name": "other"})
    page = (await server.client.get("/v1/workflows?limit=1")).json()
    assert page[0]["workflow"]["latestVersionId"] == server.version_id
    rest = (await server.client.get(f"/v1/workflows?cursor={page[0]['cursor']}")).json()
    assert [(entry["workflow"]["slug"], entry["workflow"]["latestVersionId"]) for entry in rest] == [("other", None)]
    assert len((await server.client.get("/v1/workflows?name=shop&ownerId=tea-1")).json()) == 1
    assert len((await server.client.get(f"/v1/workflows?workflowID={server.workflow_id}")).json()) == 1


async def test_versions_show_why_they_failed(server: Server) -> None:
    version_id = await server.engine.registry.create_version(server.workflow_id)
    await server.engine.registry.finish_registration(server.workflow_id, version_id, None, "Traceback …")
    entries = (await server.client.get(f"/v1/workflowversions?workflowID={server.workflow_id}")).json()
    failed, ready = (entry["workflowVersion"] for entry in entries)
    assert (failed["id"], failed["status"], failed["error"]) == (version_id, "registration_failed", "Traceback …")
    assert (ready["status"], ready["error"]) == ("ready", None)
    assert "readyAt" in ready
    assert "readyAt" not in failed
    assert (await server.client.get(f"/v1/workflowversions/{version_id}")).json() == failed
    assert (await server.client.get("/v1/workflowversions/wfv-x")).status_code == 404


async def test_a_version_shows_what_holds_it_up_until_it_does_not_register_any_more(server: Server) -> None:
    version_id = await server.engine.registry.create_version(server.workflow_id)
    held_up = {"reason": "Waiting", "message": "Pod p: Back-off pulling image"}

    async def shown() -> dict[str, Any]:
        version: dict[str, Any] = (await server.client.get(f"/v1/workflowversions/{version_id}")).json()
        return version

    assert (await shown())["waiting"] is None
    async with server.engine.database.transaction() as connection:
        await workflows.note_waiting(connection, version_id, held_up)
    assert (await shown())["waiting"] == held_up
    await server.engine.registry.finish_registration(server.workflow_id, version_id, [], None)
    async with server.engine.database.transaction() as connection:
        await workflows.note_waiting(connection, version_id, held_up)
    assert ((await shown())["status"], (await shown())["waiting"]) == ("ready", None)


async def test_releasing_an_image_says_what_it_needs(server: Server) -> None:
    body = {"workflowId": server.workflow_id, "image": "registry.example/shop:7"}
    response = await server.client.post("/v1/workflowversions", json=body)
    assert (response.status_code, response.json()["code"]) == (409, "not_supported")
    assert "Kubernetes" in response.json()["message"]


async def test_tasks_of_current_versions_are_listed(server: Server) -> None:
    tasks = [entry["task"] for entry in (await server.client.get("/v1/tasks")).json()]
    assert [task["slug"] for task in tasks] == ["shop/add", "shop/echo"]
    add, echo = tasks
    assert add["parameters"][0] == {"name": "a", "type": "int", "hasDefault": False, "defaultValue": None}
    assert (echo["plan"], echo["retry"]["maxRetries"], echo["parameters"]) == ("starter", 0, None)
    assert (await server.client.get(f"/v1/tasks/{add['id']}")).json() == add
    old_version = server.version_id
    schema = {"properties": {"n": {"default": 2**80}}}
    await server.register("shop", [{"name": "only", "input_schema": schema}])
    (only,) = (await server.client.get("/v1/tasks")).json()
    assert only["task"]["inputSchema"] == schema
    assert len((await server.client.get(f"/v1/tasks?workflowVersionId={old_version}")).json()) == 2
    for query in ("taskSlug=only", "taskSlug=shop/only", "workflowSlug=shop", f"workflowId={server.workflow_id}"):
        assert len((await server.client.get(f"/v1/tasks?{query}")).json()) == 1, query
    assert (await server.client.get("/v1/tasks?workflowSlug=other")).json() == []
    assert (await server.client.get("/v1/tasks/tsk-x")).status_code == 404


async def test_plans_and_pools_are_listed(server: Server) -> None:
    plans = [entry["plan"] for entry in (await server.client.get("/v1/plans")).json()]
    assert plans[1] == {"name": "standard", "cpu": 1, "memoryBytes": 2 * 1024**3}
    assert (await server.client.get("/v1/pools")).json() == []
    name = f"{server.version_id}-standard"
    record = PoolRecord(name, server.workflow_id, server.version_id, "standard", 2, "2 came within 3 s", 1, 1, 4, 0)
    async with server.engine.database.transaction() as connection:
        await write_pools(connection, [record])
    ((pool,),) = [[entry["pool"]] for entry in (await server.client.get("/v1/pools")).json()]
    assert pool.pop("updatedAt")
    assert pool == {
        "id": name,
        "workflow": "shop",
        "workflowId": server.workflow_id,
        "workflowVersionId": server.version_id,
        "runners": 0,
        "freeSlots": 0,
        "plan": "standard",
        "wanted": 2,
        "why": "2 came within 3 s",
        "idle": 1,
        "starting": 1,
        "claimed": 4,
    }
