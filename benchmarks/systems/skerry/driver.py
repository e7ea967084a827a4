"""Drives Skerry through REST, waiting for each result in the request that triggers the run."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.connections import Connections
from benchmarks.drivers import Answer, Driver, serve

WAIT_SECONDS = 60


class SkerryDriver(Driver):
    """Runs the tasks of `benchmarks.tasks`.

    Args:
        api: The server.
        workflow: The slug they are registered under.
        suffix: Put after the name of the task that reads the clock: `_async` for its coroutine variant.
    """

    def __init__(self, api: Connections, workflow: str, suffix: str = "") -> None:
        self._api = api
        self._workflow = workflow
        self._now = f"now{suffix}"

    async def once(self) -> int:
        """Run `now`."""
        return int(await self._run(self._now))

    async def chain(self, hops: int) -> list[int]:
        """Run `chain`."""
        return list(await self._run("chain", hops))

    async def fan(self, children: int) -> int:
        """Run `fan`."""
        return int(await self._run("fan", children))

    async def _run(self, task: str, *arguments: object) -> Any:
        body = {"task": f"{self._workflow}/{task}", "input": arguments}
        run = await self._api.post(f"/v1/task-runs?wait={WAIT_SECONDS}", body)
        if run["status"] != "succeeded":
            raise RuntimeError(f"Run {run['id']} is {run['status']}: {run.get('error')}")
        return run["results"][0]


@asynccontextmanager
async def opened(settings: Answer) -> AsyncIterator[Driver]:
    api = Connections(settings["url"])
    try:
        yield SkerryDriver(api, settings["workflow"], settings["suffix"])
    finally:
        await api.close()


if __name__ == "__main__":
    serve(opened)
