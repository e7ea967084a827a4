"""Parents and children: chains, parallel children, lineage."""

from pathlib import Path
from typing import Any

from .conftest import Sdk
from .servers import CAPACITY, WORKFLOW
from .waiting import eventually


def test_a_chain_of_children(sdk: Sdk) -> None:
    assert sdk.value("chain", [2, 2]) == 16


def test_children_by_keyword(sdk: Sdk) -> None:
    assert sdk.value("greet_by_keyword") == "Hello, Ada! Hello, Ada!"


def test_children_run_at_the_same_time(latest: Sdk, tmp_path: Path) -> None:
    root = latest.server.start("wait_for_sleepers", [str(tmp_path), 3])
    eventually(lambda: [run["status"] for run in _sleepers(latest, root)] == ["running"] * 3)
    latest.server.cancel(root)


def test_a_waiting_parent_is_paused(latest: Sdk, tmp_path: Path) -> None:
    root = latest.server.start("wait_for_sleepers", [str(tmp_path), 1])
    latest.server.with_status(root, "paused")
    assert latest.client.call("get", run=root)["status"] == "paused"
    latest.server.cancel(root)


def test_more_waiting_parents_than_capacity(latest: Sdk) -> None:
    """Every level waits for the next: with a slot held by each, the last could never start."""
    details = latest.run("descend", [CAPACITY])
    assert details["status"] == "succeeded"


def test_lineage(sdk: Sdk) -> None:
    root = sdk.run("descend", [2])
    runs = {run["id"]: run for run in sdk.server.runs(rootTaskRunId=root["id"], limit=20)}
    assert (root["parentTaskRunId"], root["rootTaskRunId"]) == ("", root["id"])
    assert "parentTaskAttempt" not in root
    others = [run for run in runs.values() if run["id"] != root["id"]]
    assert len(others) == (3 if sdk.has_context else 2)
    for run in others:
        assert run["rootTaskRunId"] == root["id"]
        assert run["parentTaskRunId"] in runs
        assert run["parentTaskAttempt"] == 0
    parents = [run["parentTaskRunId"] for run in others]
    assert len(set(parents)) == len(parents), "each level has one child"


def test_the_context_knows_the_ids(latest: Sdk) -> None:
    details = latest.run("descend", [1])
    (outer,) = details["results"]
    leaf = outer["below"]["below"]
    assert outer["id"] == details["id"] == leaf["root"]
    assert leaf["parent"] == outer["below"]["id"]
    assert len({outer["id"], outer["below"]["id"], leaf["id"]}) == 3


def test_a_root_has_no_parent_in_its_context(latest: Sdk) -> None:
    details = latest.run("ids")
    (found,) = details["results"]
    assert (found["id"], found["root"]) == (details["id"], details["id"])
    assert not found["parent"]


def test_an_unknown_child_fails_the_parent(sdk: Sdk) -> None:
    details = sdk.server.outcome("calls_a_stranger")
    assert details["status"] == "failed"
    assert "run subtask failed" in details["error"]
    assert "stranger" in details["error"]


def _sleepers(sdk: Sdk, root: str) -> list[dict[str, Any]]:
    return sdk.server.runs(rootTaskRunId=root, taskSlug=f"{WORKFLOW}/sleep")
