"""Replies conform to the schemas they are documented with, and to what Render's clients can read."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

import orjson
import pytest

from skerry_api.domain.plans import PLANS
from skerry_api.http import presentations, timestamps
from skerry_api.http.schemas.keys import ApiKey
from skerry_api.http.schemas.logs import LogLine
from skerry_api.http.schemas.plans import Plan
from skerry_api.http.schemas.runs import TaskRun, TaskRunDetails
from skerry_api.http.schemas.usages import TaskUsage
from skerry_api.http.schemas.workflows import Task, Version, Workflow
from tests.unit.http.rows import NOW, attempt_row, run_row, seconds

ERROR = {"type": "ValueError", "message": "no such plan", "stack_trace": "Traceback …"}
FINISHED_ATTEMPT = attempt_row(
    status="succeeded",
    starting_at=seconds(1),
    started_at=seconds(3),
    completed_at=seconds(6),
    runner_id="rnr-1",
    pod_name="trn-1-1",
    node="node-1",
    usage={"cpu_seconds": 0.5, "max_rss_bytes": 1024},
    timings={"import_seconds": 0.25},
)

RUNS: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "pending": (run_row(), [attempt_row()]),
    "delayed": (run_row(ready_at=seconds(60)), [attempt_row()]),
    "child": (run_row(parent_run_id="trn-0", root_run_id="trn-0", parent_attempt=0), [attempt_row(status="starting")]),
    "succeeded": (
        run_row(status="succeeded", started_at=seconds(3), completed_at=seconds(6), result="[null]"),
        [FINISHED_ATTEMPT],
    ),
    "failed": (
        run_row(status="failed", reason="error", error=ERROR, started_at=seconds(3), completed_at=seconds(6)),
        [attempt_row(status="failed", reason="error", error=ERROR, started_at=seconds(3), completed_at=seconds(6))],
    ),
    "lost": (
        run_row(status="failed", reason="runner_lost", completed_at=seconds(6)),
        [attempt_row(status="lost", reason="runner_lost", completed_at=seconds(6), usage={})],
    ),
    "canceled": (
        run_row(
            status="canceled", reason="canceled", error={"message": "canceled on request"}, completed_at=seconds(1)
        ),
        [attempt_row(status="canceled", reason="canceled", completed_at=seconds(1))],
    ),
    "between attempts": (
        run_row(error=ERROR, reason="error", started_at=seconds(3)),
        [FINISHED_ATTEMPT, attempt_row(number=2)],
    ),
}


@pytest.mark.parametrize("name", RUNS)
def test_runs_conform_to_their_schemas(name: str) -> None:
    run, attempts = RUNS[name]
    TaskRun.model_validate_json(orjson.dumps(presentations.task_run(run, attempts)), strict=True)
    shown = orjson.dumps(presentations.task_run_details(run, attempts))
    TaskRunDetails.model_validate_json(shown, strict=True)
    assert orjson.loads(shown).keys() <= {field.alias for field in TaskRunDetails.model_fields.values()}


@pytest.mark.parametrize("name", RUNS)
def test_times_are_left_out_rather_than_null(name: str) -> None:
    run = presentations.task_run(*RUNS[name])
    for shown in (run, *run["attempts"]):
        assert all(value is not None for key, value in shown.items() if key.endswith("At"))
    assert all(attempt["startedAt"] for attempt in run["attempts"])


def test_a_created_run_is_shown_as_reading_it_will() -> None:
    created = {**run_row(), "tags": ["a"]}
    assert presentations.created_task_run(created) == presentations.task_run(created, [attempt_row()])


@pytest.mark.parametrize(
    "error", [None, {}, {"message": ""}, {"type": None, "message": None}, {"type": "ValueError", "message": ""}]
)
def test_a_failed_run_always_has_a_message(error: Any) -> None:
    run = presentations.task_run(run_row(status="failed", reason="error", error=error, completed_at=NOW), [])
    assert run["error"]
    assert run["errorDetails"]["type"]


def test_only_ended_runs_show_errors() -> None:
    assert not {"error", "errorDetails"} & presentations.task_run(*RUNS["between attempts"]).keys()
    canceled = presentations.task_run(*RUNS["canceled"])
    assert "error" not in canceled
    assert canceled["errorDetails"]["message"] == "canceled on request"


def test_an_attempt_tells_where_it_ran_as_far_as_that_is_known() -> None:
    shown = presentations.attempt(FINISHED_ATTEMPT)
    assert (shown["podName"], shown["node"]) == ("trn-1-1", "node-1")
    assert not {"podName", "node"} & presentations.attempt(attempt_row()).keys()


def test_timings_tell_where_the_time_went() -> None:
    assert presentations.attempt(FINISHED_ATTEMPT)["timings"] == {
        "queuedSeconds": 1.0,
        "startingSeconds": 2.0,
        "importSeconds": 0.25,
        "runningSeconds": 3.0,
    }


def test_a_delay_is_not_time_in_the_queue() -> None:
    row = attempt_row(ready_at=seconds(10), starting_at=seconds(10.5))
    assert presentations.attempt(row)["timings"] == {"queuedSeconds": 0.5}


def test_clocks_that_disagree_give_no_negative_time() -> None:
    row = attempt_row(starting_at=seconds(2), started_at=seconds(1), completed_at=seconds(0))
    assert min(presentations.attempt(row)["timings"].values()) == 0


def test_an_attempt_lost_by_the_platform_is_shown_as_failed_with_its_reason() -> None:
    (attempt,) = presentations.task_run(*RUNS["lost"])["attempts"]
    assert (attempt["status"], attempt["reason"]) == ("failed", "runner_lost")


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (None, b"[]"),
        ("", b"[]"),
        ("[1]", b"[1]"),
        ("[1,2]", b"[1,2]"),
        (" [1]\n", b"[1]"),
        ("7", b"[7]"),
        ('{"a":1}', b'[{"a":1}]'),
        ('["\\ud800",' + "9" * 400 + "]", b'["\\ud800",' + b"9" * 400 + b"]"),
    ],
)
def test_results_are_a_list_of_what_was_stored(stored: str | None, shown: bytes) -> None:
    assert orjson.dumps(presentations.results(stored)) == shown


def test_times_are_in_utc_with_milliseconds() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert timestamps.milliseconds(elsewhere) == "2026-11-22T21:04:05.678Z"
    assert timestamps.microseconds(elsewhere) == "2026-11-22T21:04:05.678901Z"


def test_other_replies_conform_to_their_schemas() -> None:
    workflow = {
        "id": "wfl-1",
        "name": "Shop",
        "slug": "shop",
        "isolation": "process",
        "concurrency_limit": None,
        "retention_days": 30,
        "created_at": NOW,
        "updated_at": NOW,
        "latest_version_id": None,
    }
    version = {
        "id": "wfv-1",
        "workflow_id": "wfl-1",
        "status": "registering",
        "name": "wfv-1",
        "image": None,
        "error": None,
        "waiting": {"reason": "Waiting", "message": "Pod p: Back-off pulling image"},
        "created_at": NOW,
        "ready_at": None,
    }
    parameter = {"name": "to", "type": None, "has_default": True, "default_value": "1"}
    task = {
        "id": "tsk-1",
        "name": "send_mail",
        "workflow": "shop",
        "workflow_id": "wfl-1",
        "version_id": "wfv-1",
        "created_at": NOW,
        "plan": "standard",
        "timeout_ms": 60_000,
        "retry": {"max_retries": 3, "wait_duration_ms": 1000, "factor": 2.0},
        "parameters": [parameter],
        "input_schema": None,
        "description": None,
        "concurrency_limit": 4,
    }
    key = {
        "id": "key-1",
        "name": "ci",
        "scopes": ["read"],
        "workflow": None,
        "prefix": "sk_12345",
        "created_at": NOW,
        "last_used_at": NOW,
    }
    line = {
        "id": 7,
        "time": NOW,
        "run_id": "trn-1",
        "attempt": 1,
        "stream": "stderr",
        "message": "oh",
        "workflow": "shop",
        "task": "send_mail",
    }
    usage = {
        "workflow": "shop",
        "task": "send_mail",
        "plan": "pro",
        "runs": 1,
        "attempts": 2,
        "seconds": 1.5,
        "cpu_seconds": 0.5,
        "max_rss_bytes": None,
    }
    for model, shown in (
        (Workflow, presentations.workflow(workflow)),
        (Version, presentations.version(version)),
        (Task, presentations.task(task)),
        (ApiKey, presentations.api_key(key)),
        (LogLine, presentations.log_line(line)),
        (TaskUsage, presentations.usage(usage)),
        (Plan, presentations.plan(PLANS["pro"])),
    ):
        model.model_validate_json(orjson.dumps(shown), strict=True)
        assert shown.keys() <= {field.alias for field in model.model_fields.values()}
