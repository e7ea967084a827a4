"""Lists: filters, pages, cursors; and the generated functions for tasks, workflows, versions, logs and metrics."""

from typing import Any

import pytest

from .conftest import Sdk
from .servers import WORKFLOW
from .waiting import eventually


@pytest.fixture
def listed(sdk: Sdk) -> list[str]:
    """Six runs nothing executes any more, the newest first."""
    runs = [sdk.server.start("square", [number], delaySeconds=3600) for number in range(6)]
    for run in runs:
        sdk.server.cancel(run)
    return runs[::-1]


def test_pages_join_into_the_whole_list(sdk: Sdk, listed: list[str]) -> None:
    found: list[str] = []
    cursor = None
    while len(found) < len(listed):
        page = sdk.client.call("list_runs", limit=2, cursor=cursor)
        assert len(page) == 2
        found += [item["taskRun"]["id"] for item in page]
        cursor = page[-1]["cursor"]
    assert found[: len(listed)] == listed


def test_a_cursor_stays_where_it_is_when_runs_are_added(sdk: Sdk, listed: list[str]) -> None:
    page = sdk.client.call("list_runs", limit=2)
    sdk.server.cancel(sdk.server.start("square", [1], delaySeconds=3600))
    following = sdk.client.call("list_runs", limit=2, cursor=page[-1]["cursor"])
    assert [item["taskRun"]["id"] for item in page + following] == listed[:4]


def test_every_run_is_listed_once(latest: Sdk) -> None:
    root = latest.run("chain", [2, 2])
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = latest.client.call("list_runs", limit=50, cursor=cursor)
        seen += [item["taskRun"]["id"] for item in page]
        if len(page) < 50:
            break
        cursor = page[-1]["cursor"]
    assert len(seen) == len(set(seen))
    assert root["id"] in seen


def test_twenty_unless_told(latest: Sdk) -> None:
    for run in [latest.server.start("echo", [number], delaySeconds=3600) for number in range(21)]:
        latest.server.cancel(run)
    assert len(latest.client.call("list_runs")) == 20


def test_owners_are_accepted(sdk: Sdk, listed: list[str]) -> None:
    page = sdk.client.call("list_runs", limit=6, owner_id=["tea-one", "tea-two"])
    assert [item["taskRun"]["id"] for item in page] == listed


def test_filters(latest: Sdk) -> None:
    parent = latest.run("chain", [2, 2])
    family = latest.server.runs(rootTaskRunId=parent["id"])
    assert [run["rootTaskRunId"] for run in family] == [parent["id"]] * 3
    assert {run["taskId"] for run in latest.server.runs(taskSlug=f"{WORKFLOW}/chain")} == {parent["taskId"]}
    both = latest.server.runs(taskSlug=[f"{WORKFLOW}/chain", f"{WORKFLOW}/square"], rootTaskRunId=parent["id"])
    assert len(both) == 3
    assert latest.server.runs(rootTaskRunId="trn-00000000000000000000") == []


def test_filters_of_the_generated_function(sdk: Sdk, listed: list[str]) -> None:
    version = _items(_generated(sdk, "workflows", "list_workflow_versions"), "workflowVersion")[0]
    right = _generated(
        sdk,
        "workflow_tasks",
        "list_task_runs",
        workflow_id=[version["workflowId"]],
        workflow_version_id=[version["id"]],
    )
    wrong = _generated(sdk, "workflow_tasks", "list_task_runs", workflow_id=["wfl-00000000000000000000"])
    assert listed[0] in [run["id"] for run in _items(right, "taskRun")]
    assert wrong == []


@pytest.mark.parametrize("query", ["cursor=nonsense", "limit=0", "limit=-1", "limit=many", "limit=100000"])
def test_bad_list_queries(latest: Sdk, query: str) -> None:
    answer = latest.server.rest.get(f"/task-runs?{query}")
    assert answer.status_code in {400, 422}
    assert answer.json()["message"]


def test_tasks(sdk: Sdk) -> None:
    tasks = {task["name"]: task for task in _items(_generated(sdk, "workflow_tasks", "list_tasks", limit=50), "task")}
    assert {"square", "renamed-task", "wait_for_sleepers"} <= tasks.keys()
    assert not {"original_name", "stranger"} & tasks.keys()
    one = _generated(sdk, "workflow_tasks", "get_task", task_id=tasks["square"]["id"])
    assert one == tasks["square"]
    (only,) = _items(_generated(sdk, "workflow_tasks", "list_tasks", task_slug=[f"{WORKFLOW}/square"]), "task")
    assert only["id"] == tasks["square"]["id"]


def test_registered_options_and_parameters(sdk: Sdk) -> None:
    (item,) = sdk.server.rest.get("/tasks", params={"taskSlug": f"{WORKFLOW}/renamed-task"}).json()
    task = item["task"]
    assert (task["plan"], task["timeoutSeconds"]) == ("starter", 60)
    assert task["retry"] == {"maxRetries": 2, "waitDurationMs": 250, "factor": 2.0}
    a, b = task["parameters"]
    assert (a["name"], a["type"], a["hasDefault"]) == ("a", "int", False)
    assert (b["name"], b["hasDefault"], b["defaultValue"]) == ("b", True, '"b"')


def test_workflows_and_versions(sdk: Sdk) -> None:
    (workflow,) = _items(_generated(sdk, "workflows", "list_workflows"), "workflow")
    assert workflow["name"] == workflow["slug"] == WORKFLOW
    assert _generated(sdk, "workflows", "get_workflow", workflow_id=workflow["id"]) == workflow
    (version, *_) = _items(
        _generated(sdk, "workflows", "list_workflow_versions", workflow_id=[workflow["id"]]), "workflowVersion"
    )
    assert (version["workflowId"], version["status"]) == (workflow["id"], "ready")
    assert _generated(sdk, "workflows", "get_workflow_version", workflow_version_id=version["id"]) == version
    assert _generated(sdk, "workflows", "list_workflow_versions", workflow_id=["wfl-00000000000000000000"]) == []


def test_logs_of_a_run(sdk: Sdk) -> None:
    run = sdk.run("speak", ["first — 世界"])["id"]

    def found() -> list[dict[str, Any]] | None:
        page = _generated(sdk, "logs", "list_logs", owner_id="tea-any", resource=[], task_run=[run])
        lines: list[dict[str, Any]] = page["logs"]
        return lines if len(lines) >= 2 else None

    lines = eventually(found)
    assert {"out first — 世界", "err first — 世界"} <= {line["message"] for line in lines}
    assert all({"name": "taskRun", "value": run} in line["labels"] for line in lines)


@pytest.mark.parametrize("function", ["get_task_runs_completed", "get_task_runs_queued"])
def test_metrics(sdk: Sdk, function: str) -> None:
    (item,) = sdk.server.rest.get("/tasks", params={"taskSlug": f"{WORKFLOW}/square"}).json()
    series = _generated(sdk, "metrics", function, resource=item["task"]["id"])
    assert all(one.keys() >= {"labels", "values", "unit"} for one in series)


def _generated(sdk: Sdk, group: str, function: str, **arguments: Any) -> Any:
    answer = sdk.client.call("generated", group=group, function=function, **arguments)
    assert answer["status"] == 200, answer
    return answer["parsed"]


def _items(page: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    assert all(item["cursor"] for item in page)
    return [item[name] for item in page]
