"""Rows of the database as the JSON objects clients see: plain functions from mappings to dicts.

Keys without a value are left out where Render's clients cannot read null (every `startedAt`, `completedAt` and the like).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson

from skerry_api.domain.plans import Plan
from skerry_api.http.labels import labels_of
from skerry_api.http.timestamps import milliseconds

Row = Mapping[Any, Any]
Json = dict[str, Any]

# Render's words for an attempt: its clients know no others.
_ATTEMPT_STATUS = {"queued": "pending", "starting": "pending", "lost": "failed"}


def task_run(run: Row, attempts: Sequence[Row]) -> Json:
    """A run as lists show it."""
    shown: Json = {
        "id": run["id"],
        "taskId": run["task_id"],
        "task": f"{run['workflow']}/{run['task']}",
        "taskName": run["task"],
        "workflowId": run["workflow_id"],
        "workflowVersionId": run["version_id"],
        "status": run["status"],
        "reason": None,
        "parentTaskRunId": run["parent_run_id"] or "",
        "rootTaskRunId": run["root_run_id"],
        "retries": max(0, len(attempts) - 1),
        "attempts": [attempt(row) for row in attempts],
        "createdAt": milliseconds(run["created_at"]),
        "plan": run["plan"],
        "priority": run["priority"],
        "tags": run["tags"],
        "metadata": run["metadata"],
        "timeoutSeconds": run["timeout_ms"] / 1000,
        "retry": {
            "maxRetries": run["max_retries"],
            "waitDurationMs": run["retry_wait_ms"],
            "factor": run["retry_factor"],
        },
    }
    _add_lineage(shown, run)
    _add_course(shown, run)
    return shown


def _add_lineage(shown: Json, run: Row) -> None:
    if run["parent_run_id"] is not None:
        shown["parentTaskAttempt"] = run["parent_attempt"]
    if run["idempotency_key"] is not None:
        shown["idempotencyKey"] = run["idempotency_key"]
    if run["retried_from"] is not None:
        shown["retriedFrom"] = run["retried_from"]
    ready_at = run["ready_at"]
    # A run that was not delayed is ready when it is created, by the same clock.
    if ready_at is not None and ready_at - run["created_at"] > timedelta(milliseconds=50):
        shown["delayedUntil"] = milliseconds(ready_at)


def _add_course(shown: Json, run: Row) -> None:
    if run.get("started_at") is not None:
        shown["startedAt"] = milliseconds(run["started_at"])
    if run.get("completed_at") is None:
        return
    shown["completedAt"] = milliseconds(run["completed_at"])
    if run["status"] == "succeeded":
        return
    shown["reason"] = run["reason"]
    details = error_details(run["error"], f"the run {run['status']} without saying why")
    shown["errorDetails"] = details
    # Render's clients raise whenever there is an error; a canceled run is returned normally.
    if run["status"] == "failed":
        shown["error"] = details["message"]


def error_details(error: Row | None, otherwise: str) -> Json:
    """An error with a message that is never empty: Render's clients take an empty one for success."""
    given = error or {}
    kind = given.get("type") or "Error"
    shown = {"type": kind, "message": given.get("message") or (kind if given.get("type") else otherwise)}
    if given.get("stack_trace"):
        shown["stackTrace"] = given["stack_trace"]
    return shown


def attempt(row: Row) -> Json:
    """One attempt of a run."""
    status, queued, started, completed = row["status"], row["queued_at"], row["started_at"], row["completed_at"]
    shown: Json = {
        "attempt": row["number"] - 1,
        "taskRunId": row["run_id"],
        "status": _ATTEMPT_STATUS.get(status, status),
        "reason": row["reason"],
        "enqueuedAt": milliseconds(queued),
        # Required and never null in Render's clients, also before the start.
        "startedAt": milliseconds(queued if started is None else started),
        "error": None,
        "timings": _timings(row),
    }
    if completed is not None:
        shown["completedAt"] = milliseconds(completed)
        if status != "succeeded":
            shown["error"] = error_details(row["error"], f"the attempt was {status}")["message"]
    usage = row["usage"]
    if usage:
        shown["usage"] = {"cpuSeconds": usage.get("cpu_seconds"), "maxRssBytes": usage.get("max_rss_bytes")}
    if row["runner_id"] is not None:
        shown["runner"] = row["runner_id"]
    for key, column in (("podName", "pod_name"), ("node", "node")):
        if row[column] is not None:
            shown[key] = row[column]
    return shown


def pending_attempt(run: Row) -> Json:
    """The first attempt of a run that was stored a moment ago, as `attempt` will show it."""
    created = milliseconds(run["created_at"])
    return {
        "attempt": 0,
        "taskRunId": run["id"],
        "status": "pending",
        "reason": None,
        "enqueuedAt": created,
        "startedAt": created,
        "error": None,
        "timings": {},
    }


def created_task_run(run: Row) -> Json:
    """A run that was stored a moment ago."""
    shown = task_run(run, ())
    shown["attempts"] = [pending_attempt(run)]
    return shown


def _timings(row: Row) -> Json:
    starting, started, completed = row["starting_at"], row["started_at"], row["completed_at"]
    shown: Json = {}
    if starting is not None:
        shown["queuedSeconds"] = _seconds(max(row["queued_at"], row["ready_at"]), starting)
        if started is not None:
            shown["startingSeconds"] = _seconds(starting, started)
    if started is not None and completed is not None:
        shown["runningSeconds"] = _seconds(started, completed)
    measured = row["timings"] or {}
    if measured.get("import_seconds") is not None:
        shown["importSeconds"] = measured["import_seconds"]
    return shown


def _seconds(start: datetime, end: datetime) -> float:
    # Two clocks may be involved (the runner's and the database's), so a difference can come out below zero.
    return max(0.0, round((end - start).total_seconds(), 6))


def task_run_details(run: Row, attempts: Sequence[Row]) -> Json:
    """A run with its arguments and its result, each the JSON text that was stored."""
    shown = task_run(run, attempts)
    shown["input"] = orjson.Fragment(run["input"] or "[]")
    shown["results"] = results(run["result"])
    return shown


def results(data: str | None) -> orjson.Fragment:
    """A stored result as a list; programs of other SDKs may have returned something else."""
    text = (data or "").strip()
    return orjson.Fragment(text if text.startswith("[") else f"[{text}]")


def log_line(row: Row) -> Json:
    """One line a run wrote."""
    return {
        "id": str(row["id"]),
        "timestamp": milliseconds(row["time"]),
        "taskRunId": row["run_id"],
        "attempt": row["attempt"] - 1,
        "stream": row["stream"],
        "message": row["message"],
        # Render's clients know only certain label names; what has none of them is a key above.
        "labels": labels_of(row),
    }


def workflow(row: Row) -> Json:
    """A workflow; the keys from `ownerId` on are there because Render's clients cannot read it without."""
    return {
        "id": row["id"],
        "name": row["name"],
        "slug": row["slug"],
        "isolation": row["isolation"],
        "concurrencyLimit": row["concurrency_limit"],
        "retentionDays": row["retention_days"],
        "createdAt": milliseconds(row["created_at"]),
        "updatedAt": milliseconds(row["updated_at"]),
        "latestVersionId": row["latest_version_id"],
        "ownerId": "",
        "buildConfig": {"buildCommand": "", "repo": "", "runtime": "python"},
        "runCommand": "",
        "region": "oregon",
    }


def version(row: Row) -> Json:
    """One release of a workflow."""
    shown = {
        "id": row["id"],
        "workflowId": row["workflow_id"],
        "status": row["status"],
        "name": row["name"],
        "image": row["image"],
        "error": row["error"],
        "waiting": row["waiting"],
        "createdAt": milliseconds(row["created_at"]),
    }
    if row["ready_at"] is not None:
        shown["readyAt"] = milliseconds(row["ready_at"])
    return shown


def task(row: Row) -> Json:
    """A task of a version."""
    retry, parameters = row["retry"], row["parameters"]
    return {
        "id": row["id"],
        "name": row["name"],
        "slug": f"{row['workflow']}/{row['name']}",
        "workflowId": row["workflow_id"],
        "workflowVersionId": row["version_id"],
        "createdAt": milliseconds(row["created_at"]),
        "plan": row["plan"],
        "timeoutSeconds": row["timeout_ms"] / 1000,
        "retry": {
            "maxRetries": retry["max_retries"],
            "waitDurationMs": retry["wait_duration_ms"],
            "factor": retry["factor"],
        },
        "parameters": None if parameters is None else [_parameter(entry) for entry in parameters],
        # Defaults may be integers beyond the 64 bits that the fast encoder knows.
        "inputSchema": orjson.Fragment(json.dumps(row["input_schema"])),
        "description": row["description"],
        "concurrencyLimit": row["concurrency_limit"],
    }


def _parameter(entry: Row) -> Json:
    return {
        "name": entry["name"],
        "type": entry["type"],
        "hasDefault": entry["has_default"],
        "defaultValue": entry["default_value"],
    }


def plan(size: Plan) -> Json:
    """A compute plan."""
    return {"name": size.name, "cpu": size.cpu, "memoryBytes": size.memory_bytes}


def pool(row: Row) -> Json:
    """A pool of runners, as it was recorded."""
    return {
        "id": row["name"],
        "workflow": row["workflow"],
        "workflowId": row["workflow_id"],
        "workflowVersionId": row["version_id"],
        "plan": row["plan"],
        "wanted": row["wanted"],
        "why": row["why"],
        "idle": row["idle"],
        "starting": row["starting"],
        "claimed": row["claimed"],
        "updatedAt": milliseconds(row["updated_at"]),
    }


def api_key(row: Row) -> Json:
    """An API key, without what it opens."""
    return {
        "id": row["id"],
        "name": row["name"],
        "scopes": row["scopes"],
        "workflow": row["workflow"],
        "prefix": row["prefix"],
        "createdAt": milliseconds(row["created_at"]),
        "lastUsedAt": None if row["last_used_at"] is None else milliseconds(row["last_used_at"]),
    }


def usage(row: Row) -> Json:
    """What the attempts of one task on one plan have used."""
    memory = row["max_rss_bytes"]
    return {
        "task": f"{row['workflow']}/{row['task']}",
        "workflow": row["workflow"],
        "plan": row["plan"],
        "runs": row["runs"],
        "attempts": row["attempts"],
        "seconds": round(row["seconds"], 6),
        "cpuSeconds": round(row["cpu_seconds"], 6),
        "maxRssBytes": None if memory is None else int(memory),
    }


def warm_usage(row: Row) -> Json:
    """How long Pods of one workflow on one plan waited."""
    return {"workflow": row["workflow"], "plan": row["plan"], "seconds": round(row["seconds"], 6)}
