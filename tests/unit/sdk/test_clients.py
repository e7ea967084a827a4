import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

import skerry
from skerry import AsyncClient, Client, Retry, RunRequest, WaitTimeout, exchanges

RUN = {"id": "trn-1", "taskId": "tsk-1", "task": "shop/pay", "taskName": "pay", "status": "pending", "attempts": []}
DONE = {
    **RUN,
    "status": "succeeded",
    "results": [{"a": 1}],
    "createdAt": "2026-01-02T03:04:05.006Z",
    "parentTaskRunId": "",
    "attempts": [
        {"attempt": 0, "status": "succeeded", "usage": {"cpuSeconds": 0.5}, "timings": {"queuedSeconds": 0.1}}
    ],
    "retry": {"maxRetries": 3, "waitDurationMs": 1000, "factor": 2},
}
FAILED = {
    **RUN,
    "status": "failed",
    "error": "no",
    "errorDetails": {"type": "OSError", "message": "no", "stackTrace": "T"},
}


class Server:
    """Answers in turn, the last one for ever, and keeps the requests."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    @property
    def client(self) -> Client:
        return Client("http://server", "sk_1", transport=httpx.MockTransport(self))

    @property
    def body(self) -> Any:
        return json.loads(self.requests[-1].content)


def answer(value: Any, status: int = 200, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=value, headers=headers)


@pytest.fixture(autouse=True)
def _no_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "_FIRST_DELAY_SECONDS", 0.0)


def test_a_run_is_started_with_arguments_key_and_identity() -> None:
    server = Server(answer(RUN, 202))
    run = server.client.runs.start("shop/pay", 1, "x")
    assert (run.id, run.finished, run.parent_run_id) == ("trn-1", False, None)
    assert server.requests[0].headers["authorization"] == "Bearer sk_1"
    assert server.body["input"] == [1, "x"]
    assert server.body["idempotencyKey"].startswith("auto-")


def test_every_option_of_a_run_is_sent_as_the_api_spells_it() -> None:
    server = Server(answer(RUN, 202))
    server.client.runs.create(
        "shop/pay",
        {"amount": 1},
        idempotency_key="k",
        plan="pro",
        timeout_seconds=60,
        retry=Retry(1, 10, 2),
        priority=3,
        run_at=datetime(2026, 1, 2, tzinfo=UTC),
        tags=["a"],
        metadata={"m": 1},
        wait_seconds=5,
    )
    assert server.requests[0].url.params["wait"] == "5"
    assert server.body == {
        "task": "shop/pay",
        "input": {"amount": 1},
        "idempotencyKey": "k",
        "plan": "pro",
        "timeoutSeconds": 60,
        "retry": {"maxRetries": 1, "waitDurationMs": 10, "factor": 2},
        "priority": 3,
        "runAt": "2026-01-02T00:00:00.000Z",
        "tags": ["a"],
        "metadata": {"m": 1},
    }


def test_mixed_arguments_and_naive_times_are_refused() -> None:
    client = Server(answer(RUN)).client
    with pytest.raises(TypeError, match="by position or by name, not both"):
        client.runs.start("shop/pay", 1, x=2)
    with pytest.raises(ValueError, match="has no time zone"):
        client.runs.create("shop/pay", run_at=datetime(2026, 1, 2))
    with pytest.raises(
        skerry.SerializationError, match=r"shop/pay\(input\[0\]\): cannot serialize object of type object"
    ):
        client.runs.start("shop/pay", object())


def test_a_trigger_is_sent_again_with_the_same_key() -> None:
    server = Server(
        httpx.ReadError("reset"), answer({}, 503), answer({}, 429, **{"retry-after": "0"}), answer(RUN, 202)
    )
    assert server.client.runs.start("shop/pay").id == "trn-1"
    assert len({json.loads(request.content)["idempotencyKey"] for request in server.requests}) == 1
    assert len(server.requests) == 4


def test_what_is_not_idempotent_is_not_sent_again_after_it_may_have_arrived() -> None:
    server = Server(httpx.ReadTimeout("slow"), answer(RUN, 202))
    with pytest.raises(skerry.RequestTimeout):
        server.client.runs.retry("trn-1")
    assert len(server.requests) == 1
    server = Server(httpx.ConnectError("refused"), answer(RUN, 202))
    assert server.client.runs.retry("trn-1").id == "trn-1"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, skerry.InvalidRequest),
        (401, skerry.Unauthorized),
        (403, skerry.Forbidden),
        (404, skerry.NotFound),
        (409, skerry.Conflict),
        (413, skerry.PayloadTooLarge),
        (422, skerry.InvalidRequest),
        (429, skerry.RateLimited),
        (500, skerry.ServerUnavailable),
        (503, skerry.ServerUnavailable),
    ],
)
def test_refusals_become_errors_by_status(status: int, kind: type[skerry.ApiError]) -> None:
    body = {"id": "req-1", "code": "some_code", "message": "No such run.", "details": {"a": 1}}
    server = Server(answer(body, status, **{"retry-after": "0"}))
    with pytest.raises(kind) as caught:
        server.client.runs.get("trn-1")
    error = caught.value
    assert (error.status, error.code, error.message, error.request_id) == (status, "some_code", "No such run.", "req-1")
    assert error.retry_after_seconds == 0


def test_a_server_that_is_not_there_is_told_with_its_address() -> None:
    client = Server(httpx.ConnectError("refused")).client
    with pytest.raises(skerry.ConnectionFailed, match="cannot reach the Skerry server at http://server: refused"):
        client.runs.get("trn-1")
    assert client.health.ready() is False


def test_something_that_is_not_our_api_is_recognised() -> None:
    with pytest.raises(skerry.ConnectionFailed, match="is SKERRY_URL right"):
        Server(httpx.Response(200, text="<html>")).client.runs.get("trn-1")


def test_a_finished_run_gives_its_value() -> None:
    run = Server(answer(DONE)).client.runs.get("trn-1")
    assert run.value().a == 1
    assert run.created_at == datetime(2026, 1, 2, 3, 4, 5, 6000, UTC)
    assert run.attempts[0].usage.cpu_seconds == 0.5
    assert run.attempts[0].timings.queued_seconds == 0.1
    assert run.retry == Retry(3, 1000, 2)
    assert run.raw["taskId"] == "tsk-1"


def test_a_result_is_waited_for_and_a_failure_raised() -> None:
    server = Server(answer(RUN, 202), answer(DONE))
    assert server.client.runs.result("trn-1") == {"a": 1}
    assert server.requests[0].url.params["wait"] == "60"
    with pytest.raises(skerry.TaskRunError, match=r"shop/pay \(trn-1\) failed: OSError: no") as caught:
        Server(answer(FAILED)).client.runs.result("trn-1")
    assert (caught.value.type, caught.value.stack_trace) == ("OSError", "T")
    with pytest.raises(WaitTimeout, match="did not finish within 0 s; it is pending"):
        Server(answer(RUN)).client.runs.wait("trn-1", timeout_seconds=0)
    with pytest.raises(skerry.RunCanceled):
        Server(answer({**RUN, "status": "canceled"})).client.runs.result("trn-1")


def pages(request: httpx.Request) -> httpx.Response:
    """250 runs, newest first; the cursor is a position."""
    start, limit = int(request.url.params.get("cursor", 0)), int(request.url.params["limit"])
    runs = [{"taskRun": {**RUN, "id": f"trn-{i}"}, "cursor": str(i + 1)} for i in range(start, min(start + limit, 250))]
    return answer(runs)


def test_lists_are_followed_page_by_page() -> None:
    client = Client("http://server", transport=httpx.MockTransport(pages))
    assert len(list(client.runs.list(status=["failed", "canceled"]))) == 250
    assert [run.id for run in client.runs.list(limit=2)] == ["trn-0", "trn-1"]
    assert len(list(client.runs.list(limit=150))) == 150


async def test_the_async_client_has_the_same_methods() -> None:
    async with AsyncClient("http://server", transport=httpx.MockTransport(pages)) as client:
        assert len([run async for run in client.runs.list(limit=120)]) == 120
        for name, resource in vars(Server(answer(RUN)).client).items():
            if not name.startswith("_"):
                twin = type(getattr(client, name))
                public = {key for key in vars(type(resource)) if not key.startswith("_")}
                assert public == {key for key in vars(twin) if not key.startswith("_")}


async def test_the_async_client_retries_and_raises_alike() -> None:
    server = Server(httpx.ConnectError("refused"), answer(DONE))
    async with AsyncClient("http://server", transport=httpx.MockTransport(server)) as client:
        assert await client.runs.result("trn-1") == {"a": 1}
        assert await client.request("GET", "/v1/anything") == DONE


def stream(*events: str) -> httpx.Response:
    text = "".join(f"event: task.completed\ndata: {event}\n\n" for event in events)
    return httpx.Response(200, text=f"retry: 2000\n\n: ping\n\n{text}", headers={"content-type": "text/event-stream"})


def test_a_broken_stream_of_events_is_taken_up_again_without_doubles() -> None:
    done, failed = json.dumps(DONE), json.dumps({**FAILED, "id": "trn-2"})
    server = Server(stream(done), httpx.ConnectError("x"), stream(done, failed))
    assert [run.id for run in server.client.runs.events(["trn-1", "trn-2"])] == ["trn-1", "trn-2"]
    assert server.requests[0].url.params.get_list("taskRunIds") == ["trn-1", "trn-2"]


async def test_events_stream_asynchronously() -> None:
    transport = httpx.MockTransport(Server(stream(json.dumps(DONE))))
    async with AsyncClient("http://server", transport=transport) as client:
        assert [run.value() async for run in client.runs.events(["trn-1"])] == [{"a": 1}]


def test_logs_are_followed_until_the_server_ends_them() -> None:
    line = {"id": "1", "timestamp": "2026-01-02T03:04:05Z", "taskRunId": "trn-1", "stream": "stderr", "message": "hi"}
    text = f"event: log\ndata: {json.dumps(line)}\n\n"
    server = Server(httpx.Response(200, text=text), answer(RUN), httpx.Response(200), answer(DONE))
    assert [(item.message, item.stream) for item in server.client.runs.follow_logs("trn-1")] == [("hi", "stderr")]


def test_a_refused_stream_raises() -> None:
    with pytest.raises(skerry.NotFound):
        list(Server(answer({"message": "no"}, 404)).client.runs.events(["trn-9"]))


Use = Callable[[Client], Any]
ROUTES: list[tuple[Use, str, str, Any]] = [
    (lambda c: c.runs.cancel("trn-1"), "DELETE", "/v1/task-runs/trn-1", None),
    (lambda c: c.runs.tree("trn-1"), "GET", "/v1/task-runs/trn-1/tree", {"run": RUN, "children": [{"run": RUN}]}),
    (lambda c: list(c.runs.logs("trn-1")), "GET", "/v1/task-runs/trn-1/logs", {"logs": [], "cursor": None}),
    (lambda c: c.runs.create_batch([RunRequest("a/b", [1])]), "POST", "/v1/task-runs/batch", {"taskRuns": [RUN]}),
    (
        lambda c: list(c.tasks.list(workflow="shop")),
        "GET",
        "/v1/tasks",
        [{"task": {"id": "t", "name": "n"}, "cursor": "c"}],
    ),
    (lambda c: c.tasks.get("tsk-1"), "GET", "/v1/tasks/tsk-1", {"id": "t", "name": "n"}),
    (
        lambda c: list(c.workflows.list()),
        "GET",
        "/v1/workflows",
        [{"workflow": {"id": "w", "name": "n"}, "cursor": "c"}],
    ),
    (lambda c: c.workflows.create("n", image="i"), "POST", "/v1/workflows", {"id": "w", "name": "n"}),
    (lambda c: c.workflows.get("w"), "GET", "/v1/workflows/w", {"id": "w", "name": "n"}),
    (lambda c: c.workflows.update("w", image="i"), "PATCH", "/v1/workflows/w", {"id": "w", "name": "n"}),
    (lambda c: c.workflows.delete("w"), "DELETE", "/v1/workflows/w", None),
    (
        lambda c: list(c.versions.list(workflow_id="w")),
        "GET",
        "/v1/workflowversions",
        [{"workflowVersion": {"id": "v", "status": "ready"}, "cursor": "c"}],
    ),
    (lambda c: c.versions.get("v"), "GET", "/v1/workflowversions/v", {"id": "v", "status": "ready"}),
    (lambda c: c.plans.list(), "GET", "/v1/plans", [{"plan": {"name": "pro", "cpu": 2, "memoryBytes": 1}}]),
    (
        lambda c: c.api_keys.create("ci", ["read"]),
        "POST",
        "/v1/api-keys",
        {"apiKey": {"id": "k", "name": "ci"}, "key": "sk"},
    ),
    (lambda c: list(c.api_keys.list()), "GET", "/v1/api-keys", [{"apiKey": {"id": "k", "name": "ci"}, "cursor": "c"}]),
    (lambda c: c.api_keys.revoke("k"), "DELETE", "/v1/api-keys/k", None),
    (lambda c: c.health.live(), "GET", "/healthz", None),
    (lambda c: list(c.stream("/v1/x", params={"a": True})), "GET", "/v1/x", None),
]


@pytest.mark.parametrize(
    ("use", "method", "path", "body"), ROUTES, ids=[f"{method} {path}" for _, method, path, _ in ROUTES]
)
def test_each_method_asks_its_route(use: Use, method: str, path: str, body: Any) -> None:
    server = Server(httpx.Response(204) if body is None else answer(body))
    use(server.client)
    assert (server.requests[-1].method, server.requests[-1].url.path) == (method, path)


@pytest.fixture
def triggered(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """A server behind `workflows` that knows only the task `send-mail`."""
    sent: list[Any] = []

    def serve(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            sent.append(json.loads(request.content))
            known = sent[-1]["task"] == "shop/send-mail"
            return answer(RUN, 202) if known else answer({"code": "task_not_found", "message": "no such task"}, 404)
        return answer(DONE)

    from skerry import triggers

    transport = httpx.MockTransport(serve)
    monkeypatch.setattr(triggers, "_clients", triggers._Clients())
    monkeypatch.setattr(triggers, "Client", lambda: Client("http://server", transport=transport))
    monkeypatch.setattr(triggers, "AsyncClient", lambda: AsyncClient("http://server", transport=transport))
    monkeypatch.setenv("SKERRY_WORKFLOW", "shop")
    return iter([sent])


def test_a_trigger_finds_tasks_named_with_dashes(triggered: Iterator[list[Any]]) -> None:
    handle = skerry.workflows.send_mail("ada")
    assert handle.run_id == "trn-1"
    assert handle.result() == {"a": 1}
    sent = next(triggered)
    assert [body["task"] for body in sent] == ["shop/send_mail", "shop/send-mail"]
    with pytest.raises(skerry.NotFound, match="no such task"):
        skerry.workflows["shop"].unknown_task()


async def test_a_trigger_is_awaited_in_a_loop(triggered: Iterator[list[Any]]) -> None:
    handle = skerry.workflows["shop"].send_mail.with_options(priority=5)(to="ada")
    assert await handle.started() == "trn-1"
    assert await handle == {"a": 1}
    assert next(triggered)[-1]["priority"] == 5


def test_a_trigger_needs_a_workflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SKERRY_WORKFLOW", raising=False)
    with pytest.raises(skerry.ConfigurationError, match="set SKERRY_WORKFLOW"):
        skerry.workflows.send_mail  # noqa: B018


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(skerry.ConfigurationError, match="must start with http"):
        Client("server:8120")
