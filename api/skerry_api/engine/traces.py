"""OpenTelemetry traces: trigger → queue → user code → child runs, in one trace.

Span ids follow from run and attempt ids, so that a span can be written when it ends, by whichever process sees the end, and
its children can be written before it. The OpenTelemetry SDK is imported only where an OTLP endpoint is configured.
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING, Any

import structlog

from skerry_api.domain.states import Settlement
from skerry_api.storage.assignments import Assignment

if TYPE_CHECKING:
    from skerry_api.engine.completions import Outcome

log = structlog.get_logger(__name__)

# https://www.w3.org/TR/trace-context/#traceparent-header, version 00
TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}\Z")
SHUTDOWN_MS = 3000


class Traces:
    """Writes spans, where an endpoint is configured; hands out trace contexts in any case."""

    def __init__(self) -> None:
        """Export to `OTEL_EXPORTER_OTLP_ENDPOINT` (or `…_TRACES_ENDPOINT`), if set."""
        self._processor: Any = None
        self._resource: Any = None
        if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
            self._open()

    def _open(self) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError:
            log.warning("traces_off", hint="an OTLP endpoint is set, but skerry-api[otel] is not installed")
            return
        self._processor = BatchSpanProcessor(OTLPSpanExporter())
        self._resource = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "skerry")})

    def root_context(self, run_id: str) -> str:
        """The trace context of a run whose trigger brought none."""
        return f"00-{hashlib.sha256(run_id.encode()).hexdigest()[:32]}-{span_id('trigger ' + run_id)}-01"

    def attempt_context(self, assignment: Assignment) -> str | None:
        """The `traceparent` that user code and child runs continue: the run's trace, with the attempt's span as parent."""
        if assignment.traceparent is None:
            return None
        version, trace, _, flags = assignment.traceparent.split("-")
        return f"{version}-{trace}-{span_id(assignment.attempt)}-{flags}"

    def attempt_ended(self, assignment: Assignment, outcome: Outcome, settlement: Settlement) -> None:
        """Write the spans of an attempt, and of its run where it is over."""
        if self._processor is None or assignment.traceparent is None:
            return
        run_span, failed = span_id(assignment.run), outcome.reason is not None
        started = outcome.started or outcome.finished_at
        self._write("queue", f"queue {assignment.attempt}", run_span, assignment, assignment.ready_at, started)
        self._write(
            f"attempt {assignment.task}",
            assignment.attempt,
            run_span,
            assignment,
            started,
            outcome.finished_at,
            failed=failed,
        )
        if not settlement.retries:
            parent = assignment.traceparent.split("-")[2]
            origin = parent if parent != span_id("trigger " + assignment.run) else None
            name = f"run {assignment.task}"
            end = outcome.finished_at
            self._write(name, assignment.run, origin, assignment, assignment.created_at, end, failed=failed)

    def _write(
        self,
        name: str,
        key: str,
        parent: str | None,
        assignment: Assignment,
        start: float,
        end: float,
        *,
        failed: bool = False,
    ) -> None:
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

        trace = int((assignment.traceparent or "").split("-")[1], 16)

        def context(span: str) -> SpanContext:
            return SpanContext(trace, int(span, 16), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))

        self._processor.on_end(
            ReadableSpan(
                name,
                context=context(span_id(key)),
                parent=None if parent is None else context(parent),
                resource=self._resource,
                kind=SpanKind.INTERNAL,
                attributes={
                    "skerry.run": assignment.run,
                    "skerry.attempt": assignment.number,
                    "skerry.task": assignment.task,
                    "skerry.workflow": assignment.workflow,
                },
                start_time=int(start * 1e9),
                end_time=int(max(start, end) * 1e9),
                status=Status(StatusCode.ERROR if failed else StatusCode.OK),
            )
        )

    def close(self) -> None:
        """Send what is not sent yet, for at most three seconds."""
        if self._processor is not None:
            self._processor.force_flush(SHUTDOWN_MS)
            self._processor.shutdown()


def span_id(name: str) -> str:
    """A span id (16 hexadecimal digits) that follows from a name."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]
