"""Logs: history by cursor and by time, and followed live."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import websockets

from skerry_api.storage import logs
from tests.integration.http.servers import Server
from tests.integration.http.test_keys import insert
from tests.integration.http.test_run_lists import spawn


async def messages(server: Server, path: str) -> list[str]:
    response = await server.client.get(path)
    assert response.status_code == 200, response.text
    return [line["message"] for line in response.json()["logs"]]


async def test_a_runs_log_is_read_by_cursor(server: Server) -> None:
    run = await server.trigger()
    claimed = await server.claim()
    await server.log(claimed, "one", "two", "three")
    path = f"/v1/task-runs/{run['id']}/logs"
    first = (await server.client.get(f"{path}?limit=2")).json()
    assert [line["message"] for line in first["logs"]] == ["one", "two"]
    assert first["logs"][0] == {
        "id": first["logs"][0]["id"],
        "timestamp": "2026-11-22T21:04:05.678Z",
        "taskRunId": run["id"],
        "attempt": 0,
        "stream": "stdout",
        "message": "one",
        "labels": [
            {"name": "taskRun", "value": run["id"]},
            {"name": "task", "value": "shop/echo"},
            {"name": "resource", "value": "shop"},
            {"name": "level", "value": "info"},
            {"name": "type", "value": "app"},
        ],
    }
    assert await messages(server, f"{path}?cursor={first['cursor']}") == ["three"]
    last = (await server.client.get(path)).json()["cursor"]
    assert (await server.client.get(f"{path}?cursor={last}")).json() == {"logs": [], "cursor": last}


async def test_descendants_are_included_on_request(server: Server) -> None:
    root = (await server.trigger())["id"]
    parent = await server.claim()
    child = await spawn(server, parent, "echo", "c1")
    middle = await server.claim()
    await spawn(server, middle, "echo", "c1")
    grandchild = await server.claim()
    for claimed, line in ((parent, "root"), (middle, "child"), (grandchild, "grandchild")):
        await server.log(claimed, line)
    assert await messages(server, f"/v1/task-runs/{root}/logs") == ["root"]
    assert await messages(server, f"/v1/task-runs/{root}/logs?includeDescendants=true") == [
        "root",
        "child",
        "grandchild",
    ]
    assert await messages(server, f"/v1/task-runs/{child}/logs?includeDescendants=true") == ["child", "grandchild"]


async def test_search_filters_and_pages_without_splitting_a_moment(server: Server) -> None:
    run = await server.trigger()
    claimed = await server.claim()
    start = datetime.now(UTC) - timedelta(minutes=5)
    moments = [start + timedelta(seconds=second) for second in (0, 1, 1, 1, 2)]
    entries = [
        {"time": moment.isoformat(), "stream": "stderr" if position == 4 else "stdout", "line": f"100% {position}"}
        for position, moment in enumerate(moments)
    ]
    await server.engine.store_logs(claimed, 1, entries)
    page = (await server.client.get("/v1/logs?limit=2")).json()
    assert [line["message"] for line in page["logs"]] == ["100% 4", "100% 3", "100% 2", "100% 1"]
    assert page["hasMore"] is True
    rest = {"limit": 2, "startTime": page["nextStartTime"], "endTime": page["nextEndTime"]}
    page = (await server.client.get("/v1/logs", params=rest)).json()
    assert [line["message"] for line in page["logs"]] == ["100% 0"]
    assert page["hasMore"] is False
    forward = f"/v1/logs?direction=forward&taskRun={run['id']}"
    assert await messages(server, forward) == [f"100% {position}" for position in range(5)]
    assert await messages(server, "/v1/logs?level=error") == ["100% 4"]
    assert await messages(server, "/v1/logs?text=0%25%204") == ["100% 4"]
    assert await messages(server, "/v1/logs?text=_") == []
    for query in (f"resource={server.workflow_id}", "resource=shop", "task=echo", "task=shop/echo"):
        assert len(await messages(server, f"/v1/logs?{query}")) == 5, query
    for query in ("resource=other", "task=add", "taskRun=trn-00000000000000000000"):
        assert await messages(server, f"/v1/logs?{query}") == []


@pytest.mark.parametrize("query", ["direction=up", "startTime=0", "level=loud", "limit=1001"])
async def test_wrong_searches_are_refused(server: Server, query: str) -> None:
    assert (await server.client.get(f"/v1/logs?{query}")).status_code == 422


async def values(server: Server, query: str, headers: dict[str, str] | None = None) -> list[str]:
    response = await server.client.get(f"/v1/logs/values?{query}", headers=headers)
    assert response.status_code == 200, response.text
    found: list[str] = response.json()
    return found


async def log_lately(server: Server, task: str, stream: str, line: str, *, minutes: float) -> str:
    """A run of `task` that wrote one line, some minutes ago; answers its id."""
    run_id: str = (await server.trigger(task, [] if task.endswith("echo") else [1, 2]))["id"]
    moment = datetime.now(UTC) - timedelta(minutes=minutes)
    entry = {"time": moment.isoformat(), "stream": stream, "line": line}
    await server.engine.store_logs(await server.claim(), 1, [entry])
    return run_id


async def test_the_values_of_a_label_are_listed_once_those_of_the_newest_line_first(server: Server) -> None:
    assert await values(server, "label=type") == []
    first = await log_lately(server, "shop/echo", "stdout", "one", minutes=90)
    second = await log_lately(server, "shop/add", "stderr", "two", minutes=30)
    third = await log_lately(server, "shop/echo", "stdout", "three", minutes=10)
    for label, expected in (
        ("taskRun", [third, second]),
        ("task", ["shop/echo", "shop/add"]),
        ("resource", ["shop"]),
        ("level", ["info", "error"]),
        ("type", ["app"]),
    ):
        assert await values(server, f"label={label}") == expected, label
    assert await values(server, "label=taskRun&startTime=2020-01-01T00:00:00Z") == [third, second, first]
    assert await values(server, "label=level&direction=forward") == ["error", "info"]
    assert await values(server, "label=taskRun&limit=1") == [third]
    for query, expected in (
        ("level=error", ["shop/add"]),
        ("text=THREE", ["shop/echo"]),
        ("task=add", ["shop/add"]),
        (f"taskRun={first}", ["shop/echo"]),
        (f"resource={server.workflow_id}&ownerId=tea-1", ["shop/echo", "shop/add"]),
        ("resource=other", []),
        ("endTime=2020-01-01T00:00:00Z", []),
    ):
        assert await values(server, f"label=task&{query}") == expected, query


@pytest.mark.parametrize("query", ["label=statusCode", "label=", "limit=1"])
async def test_unknown_labels_are_refused_by_naming_the_known_ones(server: Server, query: str) -> None:
    response = await server.client.get(f"/v1/logs/values?{query}")
    assert response.status_code == 422
    (detail,) = response.json()["details"]
    assert detail["field"] == "label"
    if "label" in query:
        assert all(f"'{name}'" in detail["message"] for name in ("taskRun", "task", "resource", "level", "type"))


async def test_a_key_of_a_workflow_lists_values_of_that_only(locked_server: Server) -> None:
    server = locked_server
    server.client.headers.update(await insert(server, "admin"))
    await log_lately(server, "shop/echo", "stdout", "one", minutes=2)
    await server.register("other")
    await log_lately(server, "other/echo", "stderr", "two", minutes=1)
    limited = await insert(server, "read", workflow="shop")
    assert await values(server, "label=resource") == ["other", "shop"]
    assert await values(server, "label=resource", limited) == ["shop"]
    assert await values(server, "label=level", limited) == ["info"]
    assert await values(server, "label=task&resource=other", limited) == []


async def followed(server: Server, query: str, headers: dict[str, str] | None = None) -> list[dict[str, Any]]:
    lines = []
    async with server.client.stream("GET", f"/v1/logs/subscribe?{query}", headers=headers) as response:
        assert response.status_code == 200
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                lines.append(json.loads(line.removeprefix("data: ")))
    return lines


async def test_a_log_is_followed_from_its_beginning_to_its_end(server: Server) -> None:
    run = await server.trigger()
    claimed = await server.claim()
    await server.log(claimed, "before")
    following = asyncio.create_task(followed(server, f"taskRun={run['id']}"))
    await asyncio.sleep(0.3)
    await server.log(claimed, "wörld", seq=2)
    await server.finish(claimed, "[1]")
    lines = await asyncio.wait_for(following, 10)
    assert [line["message"] for line in lines] == ["before", "wörld"]
    resumed = await followed(server, f"taskRunID={run['id']}", {"last-event-id": lines[0]["id"]})
    assert [line["message"] for line in resumed] == ["wörld"]


async def test_a_long_log_is_followed_without_gaps(server: Server) -> None:
    run = await server.trigger()
    claimed = await server.claim()
    await server.log(claimed, *(f"line {number}" for number in range(5000)))
    await server.finish(claimed, "[1]")
    lines = await followed(server, f"taskRun={run['id']}")
    assert [line["message"] for line in lines] == [f"line {number}" for number in range(5000)]


async def test_lines_committed_out_of_order_are_not_missed(server: Server) -> None:
    run = await server.trigger()
    claimed = await server.claim()
    following = asyncio.create_task(followed(server, f"taskRun={run['id']}"))
    await asyncio.sleep(0.2)
    insert = (
        "INSERT INTO logs (run_id, root_run_id, workflow, task, attempt, time, stream, message)"
        " VALUES (%s, %s, 'shop', 'echo', 1, now(), 'stdout', 'slow')"
    )
    slow = await server.engine.database.connect()
    try:
        async with slow.transaction():
            await slow.execute(insert, (run["id"], run["id"]))
            await server.log(claimed, "quick")
            await asyncio.sleep(1.5)
    finally:
        await slow.close()
    await server.finish(claimed, "[1]")
    assert [line["message"] for line in await asyncio.wait_for(following, 10)] == ["quick", "slow"]


async def test_a_websocket_follows_too(server: Server) -> None:
    run = await server.trigger()
    claimed = await server.claim()
    url = str(server.client.base_url.join(f"/v1/logs/subscribe?taskRun={run['id']}")).replace("http", "ws", 1)
    async with websockets.connect(url) as websocket:
        await server.log(claimed, "hello")
        assert json.loads(await asyncio.wait_for(websocket.recv(), 5))["message"] == "hello"
        await server.finish(claimed, "[1]")
        with pytest.raises(websockets.ConnectionClosedOK):
            await asyncio.wait_for(websocket.recv(), 10)


@pytest.mark.parametrize(
    ("query", "origin", "status"),
    [("taskRun=trn-00000000000000000000", None, 404), ("", None, 422), ("taskRun=x", "http://evil.example", 403)],
)
async def test_a_websocket_is_refused_with_a_readable_reply(
    server: Server, query: str, origin: Any, status: int
) -> None:
    url = str(server.client.base_url.join(f"/v1/logs/subscribe?{query}")).replace("http", "ws", 1)
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(url, origin=origin)
    assert refused.value.response.status_code == status
    assert json.loads(refused.value.response.body or b"")["code"]


async def test_a_stopping_server_closes_websockets(server: Server) -> None:
    run = await server.trigger()
    url = str(server.client.base_url.join(f"/v1/logs/subscribe?taskRun={run['id']}")).replace("http", "ws", 1)
    async with websockets.connect(url) as websocket:
        await asyncio.sleep(0.1)
        server.app.state.streams.close()
        with pytest.raises(websockets.ConnectionClosed):
            await asyncio.wait_for(websocket.recv(), 5)
        assert websocket.close_code == 1012


async def test_partitions_are_made_with_what_came_before_them_and_dropped(server: Server) -> None:
    run = await server.trigger()
    await server.log(await server.claim(), "early")
    database = server.engine.database
    for _ in range(2):
        async with database.transaction() as connection:
            await logs.ensure_log_partitions(connection, 2)
    assert await messages(server, f"/v1/task-runs/{run['id']}/logs") == ["early"]
    async with database.transaction() as connection:
        assert await logs.drop_log_partitions(connection, 1) == 0
        assert await logs.drop_log_partitions(connection, -1) == 1
    assert await messages(server, f"/v1/task-runs/{run['id']}/logs") == []
