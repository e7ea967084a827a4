"""Traces as a collector receives them: one trace from the client's span down to the child run."""

from __future__ import annotations

import asyncio
import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from skerry_api.engine.submissions import Trigger
from tests.integration.engine.test_dispatch import until, working
from tests.properties.worlds import World

TRACE, CLIENT = "a" * 32, "b" * 16


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """An OTLP endpoint; the spans it was sent."""
    spans: list[Any] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = ExportTraceServiceRequest.FromString(body)
            spans.extend(
                span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans
            )
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield spans
    server.shutdown()
    server.server_close()
    thread.join(5)


async def test_one_trace_from_the_client_to_the_child(database_url: str, collector: list[Any]) -> None:
    world = World(database_url)
    await world.open()
    traceparent = f"00-{TRACE}-{CLIENT}-01"
    await world.engines[0].submit(Trigger("world/plain", [], "[]", traceparent=traceparent))
    await until(lambda: len(working(world)) == 1)
    runner, attempt = working(world)[0]
    user_code = runner.attempts[attempt]["traceparent"].split("-")
    assert user_code[1] == TRACE
    runner.start(attempt)
    runner.spawn(attempt, "fragile")
    await until(lambda: len(working(world)) == 2)
    child_runner, child = next(found for found in working(world) if found[1] != attempt)
    child_runner.complete(child, None)
    await asyncio.sleep(0.1)
    runner.complete(attempt, None)
    await asyncio.sleep(0.1)
    await world.close()

    assert {span.trace_id.hex() for span in collector} == {TRACE}
    named = {span.name: span for span in collector if span.name != "queue"}
    assert set(named) == {"run plain", "attempt plain", "run fragile", "attempt fragile"}
    parents = {name: span.parent_span_id.hex() for name, span in named.items()}
    ids = {name: span.span_id.hex() for name, span in named.items()}
    assert ids["attempt plain"] == user_code[2], "what user code starts hangs below its attempt"
    assert parents == {
        "run plain": CLIENT,
        "attempt plain": ids["run plain"],
        "run fragile": ids["attempt plain"],
        "attempt fragile": ids["run fragile"],
    }
    assert all(span.start_time_unix_nano <= span.end_time_unix_nano for span in collector)
