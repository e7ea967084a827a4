from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from examples import servers, views

RUN_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """A real `skerry-api dev` with one example, spoken to as any program would: over REST."""

    api: httpx.Client
    workflow: str

    def start(self, task: str, *args: Any) -> str:
        """Trigger a task and return the run's id."""
        answer = self.api.post("/v1/task-runs", json={"task": f"{self.workflow}/{task}", "input": list(args)})
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        run_id: str = answer.json()["id"]
        return run_id

    def finished(self, run_id: str) -> dict[str, Any]:
        """Wait for a run to end and return its details."""
        deadline = time.monotonic() + RUN_SECONDS
        while time.monotonic() < deadline:
            answer = self.api.get(f"/v1/task-runs/{run_id}", params={"wait": 10}).raise_for_status()
            run: dict[str, Any] = answer.json()
            if run.get("completedAt"):
                return run
        pytest.fail(f"run {run_id} had not ended after {RUN_SECONDS} s: {run}")

    def result(self, task: str, *args: Any) -> Any:
        """Run a task that must succeed and return its result."""
        run = self.finished(self.start(task, *args))
        assert run["status"] == "succeeded", run
        return run["results"][0]

    def descendants(self, run_id: str) -> list[dict[str, Any]]:
        """Every run that one run started, directly or not."""
        tree = self.api.get(f"/v1/task-runs/{run_id}/tree").raise_for_status().json()
        return [node["run"] for node in views.nodes(tree)][1:]


@contextmanager
def example_server(target: str, workflow: str, environment: dict[str, str] | None = None) -> Iterator[Server]:
    """A server for one example, gone when the block ends."""
    with (
        servers.dev_server(target, workflow, environment) as server,
        httpx.Client(base_url=server.url, timeout=30) as api,
    ):
        yield Server(api, workflow)
