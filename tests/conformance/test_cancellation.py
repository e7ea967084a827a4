"""Canceling: a run, a tree, a wait between attempts."""

from pathlib import Path

from .conftest import Sdk
from .processes import is_running, pids_in
from .servers import WORKFLOW
from .waiting import eventually

TREE = 3  # a parent and two children


def test_canceling_a_running_run_ends_its_process(sdk: Sdk, tmp_path: Path) -> None:
    run = sdk.client.call("start", task=f"{WORKFLOW}/sleep", input=[str(tmp_path), 60])["id"]
    (pid,) = eventually(lambda: pids_in(tmp_path))
    assert sdk.client.call("cancel", run=run) is None
    details = sdk.server.finished(run, seconds=3)
    assert (details["status"], details["results"]) == ("canceled", [])
    eventually(lambda: not is_running(pid), 8)
    attempts = eventually(lambda: _ended_attempts(sdk, run))
    assert [attempt["status"] for attempt in attempts] == ["canceled"]


def test_waiting_for_a_canceled_run_returns_its_details(sdk: Sdk, tmp_path: Path) -> None:
    waiting = sdk.client.submit("run", task=f"{WORKFLOW}/sleep", input=[str(tmp_path), 60])
    run = eventually(
        lambda: [one for one in sdk.server.runs(taskSlug=f"{WORKFLOW}/sleep") if one["status"] == "running"]
    )
    sdk.client.call("cancel", run=run[0]["id"])
    details = waiting.result(5)
    assert (details["id"], details["status"]) == (run[0]["id"], "canceled")


def test_canceling_a_root_cancels_all_below_it(latest: Sdk, tmp_path: Path) -> None:
    root = latest.server.start("wait_for_sleepers", [str(tmp_path), TREE - 1])
    pids = eventually(lambda: found if len(found := pids_in(tmp_path)) == TREE else None, 15)
    latest.client.call("cancel", run=root)
    runs = eventually(lambda: _all_terminal(latest, root), 5)
    assert {run["id"]: run["status"] for run in runs} == {run["id"]: "canceled" for run in runs}
    assert len(runs) == TREE
    eventually(lambda: not any(is_running(pid) for pid in pids), 8)


def test_a_parent_is_told_that_its_child_was_canceled(latest: Sdk, tmp_path: Path) -> None:
    root = latest.server.start("wait_for_sleepers", [str(tmp_path), 1])
    (child,) = eventually(lambda: [run for run in latest.server.runs(rootTaskRunId=root) if run["id"] != root])
    latest.server.cancel(child["id"])
    details = latest.server.finished(root)
    assert details["status"] == "failed"
    assert details["error"].startswith("Subtask failed: ")
    assert "cancel" in details["error"]


def test_canceling_between_attempts(latest: Sdk) -> None:
    run = latest.server.start("retries_much_later")
    eventually(lambda: [one for one in latest.server.get(run)["attempts"] if one["status"] == "failed"])
    latest.client.call("cancel", run=run)
    details = latest.server.finished(run, seconds=3)
    assert details["status"] == "canceled"
    assert details["attempts"][0]["status"] == "failed"


def test_canceling_twice_and_after_the_end_changes_nothing(latest: Sdk) -> None:
    run = latest.run("square", [3])["id"]
    for _ in range(2):
        latest.client.call("cancel", run=run)
    details = latest.server.get(run)
    assert (details["status"], details["results"]) == ("succeeded", [9])


def _ended_attempts(sdk: Sdk, run: str) -> list[dict[str, str]] | None:
    attempts: list[dict[str, str]] = sdk.server.get(run)["attempts"]
    return attempts if all("completedAt" in attempt for attempt in attempts) else None


def _all_terminal(sdk: Sdk, root: str) -> list[dict[str, str]] | None:
    runs = sdk.server.runs(rootTaskRunId=root)
    return runs if all("completedAt" in run for run in runs) else None
