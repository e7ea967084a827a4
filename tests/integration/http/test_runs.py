"""Triggering, reading, waiting, canceling and retrying runs."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from skerry_api.domain.states import Reason
from tests.integration.http.servers import Server


async def test_a_triggered_run_is_answered_as_pending(server: Server) -> None:
    run = await server.trigger("shop/add", [1, 2], tags=["nightly"], metadata={"n": 1}, plan="pro", priority=3)
    assert run["status"] == "pending"
    assert run["task"] == "shop/add"
    assert run["rootTaskRunId"] == run["id"]
    assert run["parentTaskRunId"] == ""
    assert run["retries"] == 0
    assert [attempt["status"] for attempt in run["attempts"]] == ["pending"]
    assert (run["tags"], run["metadata"], run["plan"], run["priority"]) == (["nightly"], {"n": 1}, "pro", 3)
    assert not {"startedAt", "completedAt", "error", "parentTaskAttempt"} & run.keys()


async def test_the_reply_to_a_trigger_says_what_reading_the_run_says(server: Server) -> None:
    run = await server.trigger("shop/add", [1, 2], idempotencyKey="k", timeoutSeconds=90, retry={"maxRetries": 1})
    details = (await server.client.get(f"/v1/task-runs/{run['id']}")).json()
    assert details.pop("input") == [1, 2]
    assert details.pop("results") == []
    for shown in (run, details):
        for key in ("createdAt", "attempts"):
            del shown[key]
    assert details == run


async def test_a_finished_run_shows_result_usage_and_timings(server: Server) -> None:
    details = await server.run_to_end("[3]", task="shop/add", input=[1, 2])
    assert details["status"] == "succeeded"
    assert details["results"] == [3]
    assert "error" not in details
    (attempt,) = details["attempts"]
    assert attempt["usage"] == {"cpuSeconds": 0.25, "maxRssBytes": 1_000_000}
    assert attempt["runner"] == "rnr-test"
    assert attempt["timings"]["queuedSeconds"] >= 0


async def test_a_failed_run_says_why(server: Server) -> None:
    run = await server.trigger()
    error = {"type": "ValueError", "message": "no such plan", "stack_trace": "Traceback …"}
    await server.finish(await server.claim(), reason=Reason.ERROR, error=error)
    details = (await server.client.get(f"/v1/task-runs/{run['id']}")).json()
    assert (details["status"], details["reason"], details["error"]) == ("failed", "error", "no such plan")
    assert details["errorDetails"] == {"type": "ValueError", "message": "no such plan", "stackTrace": "Traceback …"}
    assert details["attempts"][0]["error"] == "no such plan"
    assert details["results"] == []


async def test_any_json_comes_back_as_it_went(server: Server) -> None:
    value = {"big": 2**200, "text": "é \U0001f600", "nul": "\x00", "deep": [[[]]], "float": 1.5, "none": None}
    run = await server.trigger(input=[value])
    details = (await server.client.get(f"/v1/task-runs/{run['id']}")).json()
    assert details["input"] == [value]


async def test_half_a_surrogate_pair_survives_in_arguments(server: Server) -> None:
    body = '{"task": "shop/echo", "input": ["\\ud800"]}'
    headers = {"content-type": "application/json"}
    response = await server.client.post("/v1/task-runs", content=body, headers=headers)
    assert response.status_code == 202
    details = await server.client.get(f"/v1/task-runs/{response.json()['id']}")
    assert '["\\ud800"]' in details.text


async def test_a_repeated_idempotency_key_answers_the_first_run(server: Server) -> None:
    first = await server.trigger(idempotencyKey="order-1")
    await server.finish(await server.claim(), "[1]")
    again = await server.trigger(idempotencyKey="order-1", input=[2])
    assert again["id"] == first["id"]
    assert again["status"] == "succeeded"


async def test_waiting_answers_when_the_run_is_over(server: Server) -> None:
    waiting = asyncio.create_task(
        server.client.post("/v1/task-runs?wait=10", json={"task": "shop/add", "input": [1, 2]})
    )
    await server.finish(await server.claim(), "[3]")
    response = await waiting
    assert response.status_code == 200
    assert response.json()["results"] == [3]


async def test_waiting_in_vain_answers_the_present_state(server: Server) -> None:
    response = await server.client.post("/v1/task-runs?wait=0.05", json={"task": "shop/echo"})
    assert response.status_code == 202
    assert response.json()["status"] == "pending"
    response = await server.client.get(f"/v1/task-runs/{response.json()['id']}?wait=0.05")
    assert response.status_code == 200
    assert response.json()["status"] == "pending"


async def test_reading_waits_too(server: Server) -> None:
    run = await server.trigger()
    waiting = asyncio.create_task(server.client.get(f"/v1/task-runs/{run['id']}?wait=10"))
    await server.finish(await server.claim(), "[3]")
    assert (await waiting).json()["status"] == "succeeded"


async def test_a_repeated_trigger_waits_for_the_first_run(server: Server) -> None:
    await server.trigger(idempotencyKey="k")
    body = {"task": "shop/echo", "idempotencyKey": "k"}
    waiting = asyncio.create_task(server.client.post("/v1/task-runs?wait=10", json=body))
    await asyncio.sleep(0.05)
    await server.finish(await server.claim(), "[3]")
    response = await waiting
    assert response.status_code == 200
    assert response.json()["results"] == [3]


@pytest.mark.parametrize("wait", ["-1", "61", "soon", "nan", "inf", ""])
async def test_waits_out_of_range_are_refused(server: Server, wait: str) -> None:
    run = await server.trigger()
    for response in (
        await server.client.get(f"/v1/task-runs/{run['id']}?wait={wait}"),
        await server.client.post(f"/v1/task-runs?wait={wait}", json={"task": "shop/echo"}),
    ):
        assert response.status_code == 422
        assert response.json()["details"][0]["field"] == "wait"


async def test_a_stopping_server_ends_waits(server: Server) -> None:
    run = await server.trigger()
    waiting = asyncio.create_task(server.client.get(f"/v1/task-runs/{run['id']}?wait=60"))
    await asyncio.sleep(0.1)
    server.app.state.streams.close()
    assert (await asyncio.wait_for(waiting, 5)).json()["status"] == "pending"


async def test_a_batch_is_accepted_in_order(server: Server) -> None:
    requests = [{"task": "shop/add", "input": [n, n]} for n in range(5)]
    response = await server.client.post("/v1/task-runs/batch", json={"taskRuns": requests})
    assert response.status_code == 202
    for position, run in enumerate(response.json()["taskRuns"]):
        details = (await server.client.get(f"/v1/task-runs/{run['id']}")).json()
        assert details["input"] == [position, position]


async def test_a_batch_with_one_bad_request_stores_nothing(server: Server) -> None:
    requests = [{"task": "shop/add", "input": [1, 1]}, {"task": "shop/ad", "input": [1, 1]}]
    response = await server.client.post("/v1/task-runs/batch", json={"taskRuns": requests})
    assert response.status_code == 404
    assert "add" in response.json()["message"]
    assert (await server.client.get("/v1/task-runs")).json() == []


async def test_canceling_is_idempotent(server: Server) -> None:
    run = await server.trigger()
    for _ in range(2):
        response = await server.client.delete(f"/v1/task-runs/{run['id']}")
        assert (response.status_code, response.content) == (204, b"")
    details = (await server.client.get(f"/v1/task-runs/{run['id']}")).json()
    assert details["status"] == "canceled"
    assert "error" not in details
    assert details["errorDetails"]["message"]


async def test_a_failed_run_is_retried_as_a_new_one(server: Server) -> None:
    run = await server.trigger(input=[7])
    await server.finish(await server.claim(), reason=Reason.ERROR, error={"type": "E", "message": "m"})
    response = await server.client.post(f"/v1/task-runs/{run['id']}/retry")
    assert response.status_code == 202
    assert response.json()["retriedFrom"] == run["id"]
    details = (await server.client.get(f"/v1/task-runs/{response.json()['id']}")).json()
    assert details["input"] == [7]


async def test_a_run_that_is_not_over_cannot_be_retried(server: Server) -> None:
    run = await server.trigger()
    response = await server.client.post(f"/v1/task-runs/{run['id']}/retry")
    assert (response.status_code, response.json()["code"]) == (409, "not_retryable")


async def test_a_delayed_run_says_until_when(server: Server) -> None:
    run = await server.trigger(delaySeconds=3600)
    assert run["delayedUntil"] > run["createdAt"]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("run_id", ["trn-00000000000000000000", "x", "%C3%A9", "..%2F"])
async def test_unknown_runs_are_not_found(server: Server, method: str, run_id: str) -> None:
    response = await server.client.request(method, f"/v1/task-runs/{run_id}")
    assert response.status_code == 404
    assert response.json().keys() >= {"id", "code", "message"}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"task": ""}, "task"),
        ({"task": "a\x00b"}, "task"),
        ({"task": 7}, "task"),
        ({"input": 7}, "input"),
        ({"input": None}, "input"),
        ({"priority": 10}, "priority"),
        ({"priority": True}, "priority"),
        ({"idempotencyKey": ""}, "idempotencyKey"),
        ({"idempotencyKey": "\x00"}, "idempotencyKey"),
        ({"tags": ["\x00"]}, "tags.0"),
        ({"metadata": {"a": "\x00"}}, "metadata"),
        ({"metadata": {"a": 2**70}}, "metadata"),
        ({"metadata": []}, "metadata"),
        ({"delaySeconds": -1}, "delaySeconds"),
        ({"delaySeconds": "1"}, "delaySeconds"),
        ({"runAt": 0}, "runAt"),
        ({"runAt": "2026-11-22"}, "runAt"),
        ({"runAt": "9999-01-01T00:00:00Z"}, "runAt"),
        ({"retry": {"maxRetries": -1}}, "retry.maxRetries"),
    ],
)
async def test_wrong_values_are_refused_by_name(server: Server, fields: dict[str, Any], field: str) -> None:
    response = await server.client.post("/v1/task-runs", json={"task": "shop/echo", "input": [], **fields})
    assert response.status_code == 422, response.text
    assert field in [detail["field"] for detail in response.json()["details"]]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
async def test_numbers_json_cannot_express_are_refused(server: Server, number: str) -> None:
    for body in (
        f'{{"task": "shop/echo", "input": [{number}]}}',
        f'{{"task": "shop/echo", "metadata": {{"a": {number}}}}}',
        f'{{"task": "shop/echo", "timeoutSeconds": {number}}}',
    ):
        headers = {"content-type": "application/json"}
        response = await server.client.post("/v1/task-runs", content=body, headers=headers)
        assert response.status_code == 422, body


@pytest.mark.parametrize("body", ["", "{", "[1", "nonsense", b"\xff\xfe", '{"task": "shop/echo"} x', "[" * 100_000])
async def test_malformed_json_is_refused(server: Server, body: str | bytes) -> None:
    for path in ("/v1/task-runs", "/v1/task-runs/batch", "/v1/workflows"):
        response = await server.client.post(path, content=body, headers={"content-type": "application/json"})
        assert response.status_code in (400, 422), (path, response.text)
        assert response.json()["code"] in ("malformed_json", "invalid_request", "malformed_request")


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
async def test_bodies_that_are_not_declared_as_json_are_refused(server: Server, content_type: str) -> None:
    for path in ("/v1/task-runs", "/v1/task-runs/batch", "/v1/workflows"):
        headers = {"content-type": content_type} if content_type else {}
        response = await server.client.post(path, content=json.dumps({"task": "shop/echo"}), headers=headers)
        assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("chunked", [False, True])
async def test_arguments_over_the_limit_are_refused(server: Server, chunked: bool) -> None:
    async def chunks() -> Any:
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    for size in (5 * 1024 * 1024, 20 * 1024 * 1024):
        body = json.dumps({"task": "shop/echo", "input": ["x" * size]}).encode()
        headers = {"content-type": "application/json"}
        response = await server.client.post("/v1/task-runs", content=chunks() if chunked else body, headers=headers)
        assert (response.status_code, response.json()["code"]) == (413, "payload_too_large")
    assert (await server.client.get("/v1/task-runs")).json() == []


async def test_the_trace_context_of_a_trigger_is_kept(server: Server) -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await server.client.post("/v1/task-runs", json={"task": "shop/echo"}, headers={"traceparent": traceparent})
    assert (await server.claim()).traceparent == traceparent
    await server.client.post("/v1/task-runs", json={"task": "shop/echo"}, headers={"traceparent": "nonsense"})
    assert (await server.claim()).traceparent != "nonsense"
