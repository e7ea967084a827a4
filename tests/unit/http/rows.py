"""Rows as the database gives them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime(2026, 11, 22, 21, 4, 5, 678_901, UTC)


def seconds(number: float) -> datetime:
    """A moment so many seconds after `NOW`."""
    return NOW + timedelta(seconds=number)


def run_row(**changes: Any) -> dict[str, Any]:
    """A pending root run, with `changes`."""
    return {
        "id": "trn-1",
        "workflow_id": "wfl-1",
        "version_id": "wfv-1",
        "task_id": "tsk-1",
        "workflow": "shop",
        "task": "send_mail",
        "status": "pending",
        "reason": None,
        "parent_run_id": None,
        "root_run_id": "trn-1",
        "parent_attempt": None,
        "idempotency_key": None,
        "retried_from": None,
        "plan": "standard",
        "priority": 0,
        "timeout_ms": 7_200_000,
        "max_retries": 3,
        "retry_wait_ms": 1000,
        "retry_factor": 2.0,
        "tags": [],
        "metadata": {},
        "error": None,
        "created_at": NOW,
        "ready_at": None,
        "started_at": None,
        "completed_at": None,
        "input": "[]",
        "result": None,
        **changes,
    }


def attempt_row(**changes: Any) -> dict[str, Any]:
    """A queued first attempt, with `changes`."""
    return {
        "id": "trn-1-1",
        "run_id": "trn-1",
        "number": 1,
        "status": "queued",
        "reason": None,
        "runner_id": None,
        "queued_at": NOW,
        "ready_at": NOW,
        "starting_at": None,
        "started_at": None,
        "completed_at": None,
        "error": None,
        "usage": None,
        "timings": None,
        "pod_name": None,
        "node": None,
        **changes,
    }
