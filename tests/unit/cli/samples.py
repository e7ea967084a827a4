"""Things as the API answers them, for tests to adapt."""

from typing import Any

TIME = "2026-11-22T10:00:{:06.3f}Z"


def a_run(identity: str = "trn-1", task: str = "hello", status: str = "succeeded", **more: Any) -> dict[str, Any]:
    run: dict[str, Any] = {
        "id": identity,
        "taskId": "tsk-1",
        "task": f"shop/{task}",
        "taskName": task,
        "status": status,
        "reason": None,
        "parentTaskRunId": "",
        "rootTaskRunId": identity,
        "retries": 0,
        "attempts": [],
        "createdAt": TIME.format(0),
        "plan": "standard",
        "tags": [],
        "timeoutSeconds": 7200,
        "retry": {"maxRetries": 3, "waitDurationMs": 1000, "factor": 2},
    }
    if status != "pending":
        run["startedAt"] = TIME.format(1)
        run["attempts"] = [{"attempt": 0, "status": status, "startedAt": TIME.format(1)}]
    if status in ("succeeded", "failed", "canceled"):
        run["completedAt"] = TIME.format(3.2)
    return run | more


def a_node(run: dict[str, Any], *children: dict[str, Any]) -> dict[str, Any]:
    return {"run": run, "children": list(children)}


def a_task(name: str = "hello", **more: Any) -> dict[str, Any]:
    return {
        "id": f"tsk-{name}",
        "name": name,
        "slug": f"shop/{name}",
        "workflowId": "wfl-1",
        "plan": "standard",
        "timeoutSeconds": 7200,
        "retry": {"maxRetries": 3, "waitDurationMs": 1000, "factor": 2},
        "parameters": [{"name": "name", "type": "str", "hasDefault": False}],
    } | more


def a_log(message: str, run: str = "trn-1", **more: Any) -> dict[str, Any]:
    return {
        "id": "log-1",
        "timestamp": TIME.format(1.5),
        "taskRunId": run,
        "attempt": 0,
        "stream": "stdout",
        "message": message,
        "labels": [],
    } | more
