"""The trace context that reaches user code."""

from __future__ import annotations

import hashlib

from skerry_api.storage.assignments import Assignment


class Traces:
    """Spans of runs and attempts; their ids follow from run and attempt ids, so that any process can tell them."""

    def attempt_context(self, assignment: Assignment) -> str | None:
        """The `traceparent` user code continues: the run's trace, with the attempt's span as parent."""
        if assignment.traceparent is None:
            return None
        version, trace, _, flags = assignment.traceparent.split("-")
        return f"{version}-{trace}-{span_id(assignment.attempt)}-{flags}"


def span_id(name: str) -> str:
    """A span id (16 hexadecimal digits) that follows from a name."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]
