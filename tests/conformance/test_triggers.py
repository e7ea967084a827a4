"""Triggering: answers, identifiers, versions, idempotency keys, credentials."""

import re
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from .clients import SdkError
from .conftest import Sdk
from .environments import clean_variables, installed_environment
from .servers import WORKFLOW
from .waiting import eventually

REQUIRED = {"id", "taskId", "status", "parentTaskRunId", "rootTaskRunId", "retries", "attempts"}
ID = re.compile(r"[a-z]{3}-[a-z0-9]{20,25}")


def test_a_trigger_answers_202_with_a_run(latest: Sdk) -> None:
    answer = latest.server.rest.post("/task-runs", json={"task": f"{WORKFLOW}/square", "input": [2]})
    run = answer.json()
    assert answer.status_code == 202
    assert run.keys() >= REQUIRED
    assert (run["parentTaskRunId"], run["rootTaskRunId"], run["retries"]) == ("", run["id"], 0)
    assert ID.fullmatch(run["id"])
    assert run["id"].startswith("trn-")
    assert run["taskId"].startswith("tsk-")
    assert latest.server.finished(run["id"]).keys() >= REQUIRED | {"results", "input"}


def test_attempts_have_their_required_keys_at_every_moment(latest: Sdk) -> None:
    run = latest.server.start("square", [2])

    def ended() -> dict[str, Any] | None:
        details = latest.server.get(run)
        assert all(attempt.keys() >= {"attempt", "status", "startedAt"} for attempt in details["attempts"])
        for shown in [details, *details["attempts"]]:
            assert None not in [shown.get("startedAt", ""), shown.get("completedAt", ""), shown.get("enqueuedAt", "")]
        return details if details["status"] == "succeeded" else None

    (attempt,) = eventually(ended, pause=0.005)["attempts"]
    assert attempt["startedAt"] <= attempt["completedAt"]


def test_a_task_by_its_id(sdk: Sdk) -> None:
    (item,) = sdk.server.rest.get("/tasks", params={"taskSlug": f"{WORKFLOW}/square"}).json()
    task = item["task"]["id"]
    details = sdk.client.call("run", task=task, input=[6])
    assert (details["taskId"], details["results"]) == (task, [36])


def test_a_task_by_its_own_name(sdk: Sdk) -> None:
    assert sdk.value("renamed-task", [5]) == 5
    with pytest.raises(SdkError):
        sdk.run("original_name", [5])


def test_a_task_of_a_version(latest: Sdk) -> None:
    (version, *_) = [item["workflowVersion"] for item in latest.server.rest.get("/workflowversions").json()]
    for pinned in (version["name"], version["id"]):
        assert latest.run(f"square:{pinned}", [3])["results"] == [9]
    with pytest.raises(SdkError) as refused:
        latest.run("square:no-such-version", [3])
    assert refused.value.kind == "ClientError"


def test_the_same_key_is_the_same_run(latest: Sdk) -> None:
    key = str(uuid.uuid4())
    first = latest.client.call("start", task=f"{WORKFLOW}/square", input=[3], idempotency_key=key)
    again = latest.client.call("run", task=f"{WORKFLOW}/square", input=[4], idempotency_key=key)
    third = latest.client.call("run_async", task=f"{WORKFLOW}/square", input=[5], idempotency_key=key)
    assert first["id"] == again["id"] == third["id"]
    assert (again["input"], again["results"], third["results"]) == ([3], [9], [9])


def test_the_same_key_at_the_same_time(latest: Sdk) -> None:
    key = str(uuid.uuid4())
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda number: latest.server.start("square", [number], idempotencyKey=key), range(8)))
    assert len(set(runs)) == 1
    other = latest.server.start("square", [1], idempotencyKey=str(uuid.uuid4()))
    assert other not in runs


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer rnd_any"}])
def test_a_development_server_needs_no_key(latest: Sdk, header: dict[str, str]) -> None:
    assert latest.server.rest.get("/task-runs", headers=header).status_code == 200


def test_the_client_is_configured_by_its_constructor(sdk: Sdk) -> None:
    """As in production: a token and a base URL, nothing from the environment."""
    program = (
        f"from {sdk.release.package} import Render\n"
        f"client = Render(token='rnd_any', base_url='{sdk.server.url}/')\n"
        f"print(client.workflows.run_task('{WORKFLOW}/square', [8]).results)\n"
    )
    python = installed_environment(sdk.release.environment) / "bin" / "python"
    done = subprocess.run(
        [str(python), "-c", program], env=clean_variables(), capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.stdout.strip(), done.returncode) == ("[64]", 0), done.stderr


def test_the_sdk_is_the_published_one(sdk: Sdk) -> None:
    version = sdk.client.call("version")
    assert sdk.release.environment == f"{sdk.release.package}-{version}"
    assert Path(installed_environment(sdk.release.environment), "bin", "render-workflows").exists()
