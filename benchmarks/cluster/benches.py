"""What the measurements share: an installation of the chart, and connections that are open before the clock runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx

from benchmarks.cluster.sightings import Sightings
from skerry_objects.clients import PODS, TASK_RUNS, Client
from skerry_objects.configurations import find_configuration
from tests.end_to_end.clusters import Namespace
from tests.end_to_end.installations import Installation

READY_SECONDS = 60.0


class Bench:
    """An installation under measurement."""

    def __init__(self, installation: Installation, client: Client, http: httpx.AsyncClient) -> None:
        self.installation = installation
        self.tasks: Namespace = installation.tasks
        self.namespace = installation.tasks.name
        self.client = client
        self.pods = Sightings(client, self.namespace, PODS)
        self.task_runs = Sightings(client, self.namespace, TASK_RUNS)
        self._http = http
        self._like: Any = None

    async def run(self, task: str) -> Any:
        """Start a run and wait for its end; the run as REST shows it."""
        answer = await self._http.post("/v1/task-runs", params={"wait": 60}, json={"task": task, "input": []})
        answer.raise_for_status()
        done = answer.json()
        assert done["status"] == "succeeded", done
        return done

    async def batch(self, task: str, count: int, arguments: Sequence[Any] = ()) -> list[str]:
        """Start many runs with one request; their ids."""
        runs = [{"task": task, "input": list(arguments)}] * count
        answer = await self._http.post("/v1/task-runs/batch", json={"taskRuns": runs})
        answer.raise_for_status()
        return [run["id"] for run in answer.json()["taskRuns"]]

    async def task_pod(self) -> Any:
        """A Pod as the operator makes it, once a run has warmed everything up."""
        if self._like is None:
            pod = f"{(await self.run('faults/clock'))['id']}-1"
            await self.pods.until_ended([pod])
            self._like = self.pods.objects[pod]
        return self._like

    def logs(self, pod: str) -> str:
        """What a Pod's container wrote."""
        return self.tasks.kubectl("logs", pod)

    async def until_logged(self, pod: str, word: str) -> None:
        """Wait until a Pod has written a line with `word`."""
        await self.pods.until_there([pod])
        async with asyncio.timeout(READY_SECONDS):
            while True:
                if self.pods.objects[pod]["status"].get("phase") == "Running" and word in self.logs(pod):
                    return
                await asyncio.sleep(0.2)


@asynccontextmanager
async def bench(installation: Installation) -> AsyncIterator[Bench]:
    """Connect to an installation, and watch what happens in it."""
    headers = {"Authorization": f"Bearer {installation.key}"}
    async with (
        Client(find_configuration()) as client,
        httpx.AsyncClient(base_url=installation.url, headers=headers, timeout=90) as http,
        asyncio.TaskGroup() as group,
    ):
        made = Bench(installation, client, http)
        watches = []
        for seen in (made.pods, made.task_runs):
            ready = asyncio.Event()
            watches.append(group.create_task(seen.run(ready)))
            await ready.wait()
        try:
            yield made
        finally:
            for watch in watches:
                watch.cancel()
