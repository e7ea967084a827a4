"""Usage and metrics."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from skerry_api.domain.states import Reason
from skerry_api.storage import warm_usages
from skerry_api.storage.warm_usages import WarmUsage
from tests.integration.http.servers import Server
from tests.integration.http.test_keys import insert, request

HOUR = datetime(2026, 11, 22, 21, tzinfo=UTC)


async def test_usage_is_summed_per_task_and_plan(server: Server) -> None:
    await server.run_to_end()
    await server.run_to_end(plan="pro")
    await server.trigger(retry={"maxRetries": 1, "waitDurationMs": 0})
    for _ in range(2):
        await server.finish(await server.claim(), reason=Reason.ERROR, error={"message": "m"})
    report = (await server.client.get("/v1/usage")).json()
    pro, starter = report["usage"]
    assert (pro["task"], pro["plan"], pro["runs"], pro["attempts"]) == ("shop/echo", "pro", 1, 1)
    assert (starter["runs"], starter["attempts"], starter["cpuSeconds"]) == (2, 3, 0.75)
    assert starter["maxRssBytes"] == 1_000_000
    assert (await server.client.get("/v1/usage?workflow=other")).json()["usage"] == []
    assert (await server.client.get("/v1/usage?end=2020-01-01T00:00:00Z")).json()["usage"] == []


async def test_usage_tells_for_how_long_pods_waited(locked_server: Server) -> None:
    server, hour = locked_server, int(HOUR.timestamp())
    shop = server.workflow_id
    await server.register("other")
    waited = [WarmUsage(shop, "standard", hour, 7200.5), WarmUsage(server.workflow_id, "pro", hour + 3600, 60)]
    async with server.engine.database.autocommit() as connection:
        await warm_usages.add_warm_usages(connection, waited)
    own = {"workflow": "shop", "plan": "standard", "seconds": 7200.5}
    others = {"workflow": "other", "plan": "pro", "seconds": 60.0}

    async def warm(key: dict[str, str], start: str = "21:00", end: str = "23:00", more: str = "") -> list[object]:
        path = f"/v1/usage?start=2026-11-22T{start}:00Z&end=2026-11-22T{end}:00Z{more}"
        found: list[object] = (await request(server, "GET", path, None, key)).json()["warm"]
        return found

    everything, limited = await insert(server, "read"), await insert(server, "read", workflow="shop")
    assert await warm(everything) == [others, own]
    assert await warm(everything, more="&workflow=other") == [others]
    assert await warm(everything, "21:59", "22:00") == [own]
    assert await warm(everything, "20:00", "21:00") == []
    assert await warm(limited) == await warm(limited, more="&workflow=shop&workflow=other") == [own]
    assert await warm(limited, more="&workflow=other") == []


async def test_metrics_count_completed_runs(server: Server) -> None:
    await server.run_to_end()
    await server.trigger()
    await server.finish(await server.claim(), reason=Reason.ERROR, error={"message": "m"})
    path = "/v1/metrics/task-runs-completed"
    (series,) = (await server.client.get(path)).json()
    assert series["labels"] == [{"field": "resource", "value": "shop/echo"}]
    assert sum(value["value"] for value in series["values"]) == 2
    failed, succeeded = (await server.client.get(f"{path}?aggregateBy=state")).json()
    assert [label["value"] for label in failed["labels"]] == ["shop/echo", "failed"]
    assert [label["value"] for label in succeeded["labels"]] == ["shop/echo", "succeeded"]
    (only,) = (await server.client.get(f"{path}?state=failed&resource=shop/echo")).json()
    assert sum(value["value"] for value in only["values"]) == 1
    assert (await server.client.get(f"{path}?resource=tsk-x")).json() == []


async def test_metrics_count_queued_runs(server: Server) -> None:
    await server.trigger()
    await server.trigger()
    response = await server.client.get("/v1/metrics/task-runs-queued?resolutionSeconds=1&endTime=2099-01-01T00:00:00Z")
    assert response.status_code == 200
    (series,) = (await server.client.get("/v1/metrics/task-runs-queued?resolutionSeconds=1")).json() or [None]
    assert series is None or series["values"][-1]["value"] <= 2


@pytest.mark.parametrize(
    "query",
    ["start=0001-01-01T00:00:00Z&end=9999-12-31T23:59:59Z", "end=0001-01-01T00:00:00Z", "start=2099-01-01T00:00:00Z"],
)
async def test_any_stretch_of_time_is_answered(server: Server, query: str) -> None:
    for path in ("/v1/usage", "/v1/metrics/task-runs-completed", "/v1/metrics/task-runs-queued", "/v1/logs"):
        query = query if path == "/v1/usage" else query.replace("start=", "startTime=").replace("end=", "endTime=")
        response = await server.client.get(f"{path}?{query}")
        assert response.status_code == 200, response.text
