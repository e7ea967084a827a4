"""Continues the platform's trace in the user's code, if that uses OpenTelemetry and an exporter is configured."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def is_on() -> bool:
    """Whether there is an endpoint to export to."""
    return "OTEL_EXPORTER_OTLP_ENDPOINT" in os.environ and bool(os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"])


def preload() -> None:
    """Import what `continued` needs, before the process is forked."""
    if is_on():
        with suppress(ImportError):
            import opentelemetry.propagate  # noqa: F401


@contextmanager
def continued(traceparent: str | None) -> Iterator[None]:
    """Make the run's trace context the current one, so that spans of the task become its children."""
    if not traceparent or not is_on():
        yield
        return
    try:
        from opentelemetry import context, propagate
    except ImportError:
        yield
        return
    token = context.attach(propagate.extract({"traceparent": traceparent}))
    try:
        yield
    finally:
        context.detach(token)


def flush() -> None:
    """Export the spans that are still held back: a process that serves one attempt has no ordinary end."""
    if "opentelemetry.trace" in sys.modules and is_on():
        from opentelemetry import trace

        flush_provider = getattr(trace.get_tracer_provider(), "force_flush", None)
        if flush_provider is not None:
            flush_provider(1000)
