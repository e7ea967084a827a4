"""Retries happen inside the same run: failed attempts are archived, the run is pending in between."""

from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from .conftest import Sdk
from .waiting import eventually

WAIT_SECONDS = 0.2  # of `flaky`, doubled after each failure


def test_a_run_retries_until_it_succeeds(sdk: Sdk, tmp_path: Path) -> None:
    details = sdk.run("flaky", [str(tmp_path), 2])
    assert (details["status"], details["results"], details["retries"]) == ("succeeded", [3], 2)
    attempts = details["attempts"]
    assert [attempt["attempt"] for attempt in attempts] == [0, 1, 2]
    assert [attempt["status"] for attempt in attempts] == ["failed", "failed", "succeeded"]
    assert [attempt.get("error") or None for attempt in attempts] == ["failure 1", "failure 2", None]
    assert {attempt["taskRunId"] for attempt in attempts} == {details["id"]}
    assert not details.get("error")


def test_waits_grow_by_the_factor(latest: Sdk, tmp_path: Path) -> None:
    attempts = latest.run("flaky", [str(tmp_path), 2])["attempts"]
    waits = [_seconds(before["completedAt"], after["startedAt"]) for before, after in pairwise(attempts)]
    assert waits[0] >= WAIT_SECONDS
    assert waits[1] >= 2 * WAIT_SECONDS
    assert sum(waits) < 3 * WAIT_SECONDS + 4, f"retries came much too late: {waits}"


def test_retries_run_out(latest: Sdk, tmp_path: Path) -> None:
    details = latest.server.outcome("flaky", [str(tmp_path), 9])
    assert (details["status"], details["retries"], details["error"]) == ("failed", 3, "failure 4")
    assert [attempt["status"] for attempt in details["attempts"]] == ["failed"] * 4


def test_a_run_is_pending_between_attempts(latest: Sdk) -> None:
    run = latest.server.start("retries_much_later")
    waiting = _after_first_failure(latest, run)
    assert waiting["status"] == "pending"
    assert waiting["attempts"][0]["status"] == "failed"
    assert waiting["attempts"][0]["error"] == "not yet"
    assert "completedAt" not in waiting
    assert latest.client.call("get", run=run)["status"] == "pending"
    latest.server.cancel(run)


def test_a_parent_waits_through_the_retries_of_its_child(latest: Sdk, tmp_path: Path) -> None:
    assert latest.value("waits_for_flaky", [str(tmp_path)]) == {"calls": 2}


def test_a_retried_parent_runs_its_children_again(latest: Sdk, tmp_path: Path) -> None:
    details = latest.run("retried_parent", [str(tmp_path)])
    assert (details["status"], details["retries"]) == ("succeeded", 1)
    children = [run for run in latest.server.runs(rootTaskRunId=details["id"]) if run["id"] != details["id"]]
    assert sorted(child["parentTaskAttempt"] for child in children) == [0, 1]


def _after_first_failure(sdk: Sdk, run: str) -> dict[str, Any]:
    def probe() -> dict[str, Any] | None:
        details = sdk.server.get(run)
        failed = details["attempts"] and details["attempts"][0]["status"] == "failed"
        return details if failed and details["status"] == "pending" else None

    return eventually(probe)


def _seconds(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
