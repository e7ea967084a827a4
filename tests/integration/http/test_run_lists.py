"""Lists, trees and the events of runs' ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from skerry_api.domain.errors import Unavailable
from skerry_api.domain.states import Reason
from skerry_api.engine.submissions import Parent, Trigger
from tests.integration.http.servers import Server


async def listed(server: Server, query: str = "") -> list[str]:
    response = await server.client.get(f"/v1/task-runs{query}")
    assert response.status_code == 200, response.text
    return [entry["taskRun"]["id"] for entry in response.json()]


async def spawn(server: Server, parent: Any, task: str, call: str) -> str:
    trigger = Trigger(task=task, input=[], input_json="[]")
    (child,) = await server.engine.submissions.submit([trigger], [Parent(parent, call)])
    return child.run_id


async def test_lists_are_newest_first_and_paged_by_stable_cursors(server: Server) -> None:
    run_ids = [(await server.trigger())["id"] for _ in range(5)]
    first = (await server.client.get("/v1/task-runs?limit=2")).json()
    await server.trigger()
    second = (await server.client.get(f"/v1/task-runs?limit=2&cursor={first[-1]['cursor']}")).json()
    third = (await server.client.get(f"/v1/task-runs?limit=2&cursor={second[-1]['cursor']}")).json()
    assert [entry["taskRun"]["id"] for page in (first, second, third) for entry in page] == run_ids[::-1]


async def test_lists_are_filtered(server: Server) -> None:
    done = (await server.run_to_end(tags=["x", "y"]))["id"]
    failed = (await server.trigger())["id"]
    await server.finish(await server.claim(), reason=Reason.ERROR, error={"message": "m"})
    waiting = (await server.trigger("shop/add", [1, 2]))["id"]
    created = (await server.client.get(f"/v1/task-runs/{failed}")).json()["createdAt"]
    assert await listed(server, "?status=succeeded") == [done]
    assert await listed(server, "?status=failed&status=pending") == [waiting, failed]
    assert await listed(server, "?task=shop/add") == await listed(server, "?taskSlug=add") == [waiting]
    assert await listed(server, "?tag=y&tag=x") == await listed(server, "?tag=y") == [done]
    assert await listed(server, "?tag=y&tag=z") == []
    assert await listed(server, "?workflow=shop&ownerId=tea-1&ownerId=tea-2") == [waiting, failed, done]
    assert await listed(server, "?workflow=other") == await listed(server, "?task=other/add") == []
    assert await listed(server, f"?workflowId={server.workflow_id}&workflowVersionId={server.version_id}&limit=1") == [
        waiting
    ]
    assert await listed(server, f"?rootTaskRunId={done}") == [done]
    assert await listed(server, f"?createdBefore={created}&status=succeeded") == [done]
    assert waiting in await listed(server, f"?createdAfter={created}")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=cancelled", "status.0"),
        ("limit=0", "limit"),
        ("limit=many", "limit"),
        ("cursor=x", "cursor"),
        ("createdAfter=yesterday", "createdAfter"),
        ("createdAfter=0", "createdAfter"),
        ("task=a/b&task=c/d", "task"),
        ("task=a/b&workflow=c", "task"),
    ],
)
async def test_wrong_filters_are_refused_by_name(server: Server, query: str, field: str) -> None:
    response = await server.client.get(f"/v1/task-runs?{query}")
    assert response.status_code == 422
    assert [detail["field"] for detail in response.json()["details"]] == [field]


async def test_nul_in_paths_and_queries_is_refused(server: Server) -> None:
    assert (await server.client.get("/v1/task-runs?tag=%00")).status_code == 422
    assert (await server.client.get("/v1/task-runs/%00")).status_code == 404


async def test_a_tree_has_children_beneath_their_parents(server: Server) -> None:
    root = (await server.trigger())["id"]
    parent = await server.claim()
    child = await spawn(server, parent, "echo", "c1")
    grandchild = await spawn(server, await server.claim(), "add", "c1")
    sibling = await spawn(server, parent, "echo", "c2")
    tree = (await server.client.get(f"/v1/task-runs/{root}/tree")).json()
    assert (tree["run"]["id"], tree["truncated"]) == (root, False)
    assert [node["run"]["id"] for node in tree["children"]] == [child, sibling]
    assert [node["run"]["id"] for node in tree["children"][0]["children"]] == [grandchild]
    assert tree["children"][0]["run"]["parentTaskRunId"] == root
    assert tree["children"][0]["run"]["parentTaskAttempt"] == 0
    subtree = (await server.client.get(f"/v1/task-runs/{child}/tree")).json()
    assert subtree["run"]["id"] == child
    assert [node["run"]["id"] for node in subtree["children"]] == [grandchild]


async def read_events(server: Server, query: str, on_open: Any = None) -> list[dict[str, Any]]:
    events = []
    async with server.client.stream("GET", f"/v1/task-runs/events?{query}") as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        if on_open is not None:
            await on_open()
        async for block in _blocks(response.aiter_lines()):
            fields = dict(line.split(": ", 1) for line in block if not line.startswith(":"))
            if "event" in fields:
                assert fields["event"] == "task.completed"
                assert fields["data"].isascii()
                events.append(json.loads(fields["data"]))
    return events


async def _blocks(lines: Any) -> Any:
    block: list[str] = []
    async for line in lines:
        if line:
            block.append(line)
        else:
            yield block
            block = []


async def test_events_replay_what_is_over_and_follow_what_is_not(server: Server) -> None:
    done = (await server.run_to_end('["h\u00e9llo \U0001f600"]'))["id"]
    canceled = (await server.trigger())["id"]
    await server.client.delete(f"/v1/task-runs/{canceled}")
    running = (await server.trigger())["id"]
    claimed = await server.claim()

    async def finish() -> None:
        await server.finish(claimed, "[\n2]")

    events = await read_events(server, f"taskRunIds={done},{canceled}&taskRunIds={running}", finish)
    by_id = {event["id"]: event for event in events}
    assert by_id[done]["results"] == ["h\u00e9llo \U0001f600"]
    assert by_id[canceled]["status"] == "canceled"
    assert "error" not in by_id[canceled]
    assert by_id[running]["results"] == [2]
    assert len(events) == 3


async def test_a_failed_attempt_with_retries_left_is_no_event(server: Server) -> None:
    run = await server.trigger(retry={"maxRetries": 1, "waitDurationMs": 0})
    first = await server.claim()

    async def fail_then_succeed() -> None:
        await server.finish(first, reason=Reason.ERROR, error={"message": "m"})
        await server.finish(await server.claim(), "[1]")

    (event,) = await read_events(server, f"taskRunIds={run['id']}", fail_then_succeed)
    assert event["status"] == "succeeded"
    assert event["retries"] == 1
    assert [attempt["status"] for attempt in event["attempts"]] == ["failed", "succeeded"]


async def test_events_of_unknown_runs_are_not_found(server: Server) -> None:
    response = await server.client.get("/v1/task-runs/events?taskRunIds=trn-00000000000000000000")
    assert response.status_code == 404
    assert (await server.client.get("/v1/task-runs/events")).status_code == 422
    assert (await server.client.get("/v1/task-runs/events?taskRunIds=")).status_code == 422


async def eventually(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come true within 5 s")


async def test_a_client_that_leaves_ends_its_stream(server: Server) -> None:
    run = await server.trigger()
    async with server.client.stream("GET", f"/v1/task-runs/events?taskRunIds={run['id']}"):
        await eventually(lambda: run["id"] in server.engine.ends.awaited)
    await eventually(lambda: run["id"] not in server.engine.ends.awaited)


async def test_a_stopping_server_ends_streams(server: Server) -> None:
    run = await server.trigger()

    async def stop() -> None:
        server.app.state.streams.close()

    assert await asyncio.wait_for(read_events(server, f"taskRunIds={run['id']}", stop), 5) == []


async def test_events_outlast_an_absence_of_postgres(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    run = await server.run_to_end()
    fetch, failures = server.engine.details.fetch, iter([Unavailable("the database is away")])

    async def fail_once(run_id: str) -> Any:
        for failure in failures:
            raise failure
        return await fetch(run_id)

    monkeypatch.setattr(server.engine.details, "fetch", fail_once)
    (event,) = await read_events(server, f"taskRunIds={run['id']}")
    assert event["id"] == run["id"]
