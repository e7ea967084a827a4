"""What the measurements share: an installation of the chart, and connections that are open before the clock runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.cluster.sightings import Sightings
from benchmarks.connections import Connections
from skerry_objects.clients import PODS, TASK_RUNS, Client
from skerry_objects.configurations import find_configuration
from tests.end_to_end.clusters import Namespace
from tests.end_to_end.installations import Installation

READY_SECONDS = 60.0


class Bench:
    """An installation under measurement."""

    def __init__(self, installation: Installation, client: Client, http: Connections) -> None:
        self.installation = installation
        self.tasks: Namespace = installation.tasks
        self.namespace = installation.tasks.name
        self.client = client
        self.pods = Sightings(client, self.namespace, PODS)
        self.task_runs = Sightings(client, self.namespace, TASK_RUNS)
        self._http = http
        self._like: Any = None

    async def run(self, task: str, arguments: Sequence[Any] = ()) -> Any:
        """Start a run and wait for its end; the run as REST shows it."""
        request = {"task": task, "input": list(arguments)}
        done = await self._http.post("/v1/task-runs?wait=60", request)
        assert done["status"] == "succeeded", done
        return done

    async def get(self, path: str) -> Any:
        """What REST answers."""
        return await self._http.get(path)

    async def open(self, count: int) -> None:
        """Have so many connections, so that no measured request opens one."""
        await asyncio.gather(*(self._http.get("/v1/plans") for _ in range(count)))

    async def pools(self) -> list[Any]:
        """Pools of Pods that wait, as the record has them."""
        return [item["pool"] for item in await self.get("/v1/pools") if item["pool"].get("plan")]

    async def until_over(self, runs: Sequence[str]) -> None:
        """Wait for the end of runs."""
        await asyncio.gather(*(self.get(f"/v1/task-runs/{run}?wait=60") for run in runs))

    async def batch(self, task: str, count: int, arguments: Sequence[Any] = ()) -> list[str]:
        """Start many runs with one request; their ids."""
        runs = [{"task": task, "input": list(arguments)}] * count
        answer = await self._http.post("/v1/task-runs/batch", {"taskRuns": runs})
        return [run["id"] for run in answer["taskRuns"]]

    async def task_pod(self) -> Any:
        """A Pod as the operator makes it, once a run has warmed everything up."""
        while self._like is None:
            run = await self.run("faults/clock")
            pod = run["attempts"][-1]["podName"]
            await self.pods.until_ended([pod])
            if pod.startswith(run["id"]):  # It had none that waited.
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
    http = Connections(installation.url, headers)
    async with Client(find_configuration()) as client, asyncio.TaskGroup() as group:
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
            await http.close()
