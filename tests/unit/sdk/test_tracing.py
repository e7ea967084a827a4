import pytest

from skerry.runtime import tracing

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def current_trace() -> str:
    from opentelemetry import trace

    return format(trace.get_current_span().get_span_context().trace_id, "032x")


def test_the_platforms_trace_is_continued_where_there_is_an_exporter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    with tracing.continued(TRACEPARENT):
        assert current_trace() == "0af7651916cd43dd8448eb211c80319c"
    assert current_trace() == "0" * 32


def test_without_an_exporter_nothing_is_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    with tracing.continued(TRACEPARENT):
        assert current_trace() == "0" * 32
