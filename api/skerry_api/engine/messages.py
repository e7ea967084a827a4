"""What runners are told, and what they say.

Wrong shapes of the latter raise `KeyError`, `TypeError` or `ValueError`, and nothing has happened yet.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from skerry_api.domain import ids
from skerry_api.domain.plans import plan_named
from skerry_api.domain.retries import Retry
from skerry_api.domain.states import Reason
from skerry_api.engine.completions import Outcome
from skerry_api.engine.settings import EngineSettings
from skerry_api.engine.submissions import Trigger
from skerry_api.storage.assignments import Assignment

Message = Mapping[str, Any]


def welcome(runner_id: str, settings: EngineSettings) -> Message:
    """The greeting, with all that a runner has to know of this control plane."""
    limits = settings.limits
    return {
        "type": "welcome",
        "runner": runner_id,
        "heartbeat_seconds": settings.heartbeat_seconds,
        "limits": {
            "argument_bytes": limits.argument_bytes,
            "result_bytes": limits.result_bytes,
            "log_line_bytes": limits.log_line_bytes,
            "log_lines_per_second": limits.log_lines_per_second,
        },
    }


def assign(assignment: Assignment, traceparent: str | None, company: int) -> Message:
    """An attempt, given to a runner now, as one of `company` on its node."""
    plan = plan_named(assignment.plan)
    timeout = assignment.timeout_ms / 1000
    return {
        "type": "assign",
        "attempt": assignment.attempt,
        "token": assignment.token,
        "run": assignment.run,
        "root": assignment.root,
        "parent": assignment.parent,
        "task": assignment.task,
        "workflow": assignment.workflow,
        "input": assignment.input,
        "attempt_number": assignment.number,
        "deadline": timestamp(time.time() + timeout),
        "timeout_seconds": timeout,
        "traceparent": traceparent,
        "metadata": assignment.metadata,
        "company": company,
        "plan": {"name": plan.name, "cpu": plan.cpu, "memory_bytes": plan.memory_bytes},
    }


def child_trigger(message: Message) -> Trigger:
    """The child run that a `spawn` message asks for."""
    options = message.get("options") or {}
    retry = options.get("retry")
    return Trigger(
        task=str(message["task"]),
        input=json.loads(message["input"]),
        input_json=message["input"],
        run_id=ids.new_id(ids.RUN),
        plan=options.get("plan"),
        timeout_seconds=options.get("timeout_seconds"),
        retry=None
        if retry is None
        else Retry(
            int(retry.get("max_retries", 3)), int(retry.get("wait_duration_ms", 1000)), float(retry.get("factor", 1.5))
        ),
    )


def outcome_of(message: Message) -> Outcome:
    """How an attempt ended, from a `complete` message."""
    outcome = message["outcome"]
    status, result, error = outcome["status"], outcome.get("result"), outcome.get("error")
    usage, timings = message.get("usage") or {}, message.get("timings") or {}
    if not isinstance(result, str | None) or not isinstance(usage, dict) or not isinstance(timings, dict):
        raise TypeError("result must be JSON text or null; usage and timings must be objects")
    check_json(result)
    started_at = message.get("started_at")
    if status == "succeeded":
        reason = None
    elif status == "canceled":
        reason = Reason.CANCELED
    else:
        reason = Reason(outcome.get("reason") or "error")
    return Outcome(
        reason,
        result,
        error,
        bool((error or {}).get("retryable", True)),
        usage,
        timings,
        started_at,
        started=None if started_at is None else datetime.fromisoformat(started_at).timestamp(),
    )


def log_entries(message: Message) -> list[dict[str, Any]]:
    """The lines of a `logs` message, as they are stored."""
    return [
        # Postgres takes no NUL in text.
        {"time": entry["time"], "stream": entry["stream"], "line": str(entry["line"]).replace("\0", "\\0")}
        for entry in message["entries"]
    ]


def check_json(text: str | None) -> None:
    """Raise `ValueError` unless a result is JSON or empty: replies are put together from it as it is."""
    if text:
        orjson.loads(text)


def timestamp(seconds: float) -> str:
    """A moment in epoch seconds as RFC 3339, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
