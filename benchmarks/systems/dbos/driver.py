"""Drives DBOS: in this process as its executor (`direct`), or through the queue of another process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from dbos import DBOS, DBOSClient

from benchmarks.drivers import Answer, Driver, serve
from benchmarks.systems.dbos import workflows


class DirectDriver(Driver):
    async def once(self) -> int:
        return await workflows.once()

    async def chain(self, hops: int) -> list[int]:
        return await workflows.chain(hops)

    async def fan(self, children: int) -> int:
        return await workflows.fan(children)


class QueueDriver(Driver):
    def __init__(self, client: DBOSClient) -> None:
        self._client = client

    async def once(self) -> int:
        return await self._run("once")

    async def chain(self, hops: int) -> list[int]:
        return await self._run("chain", hops)

    async def fan(self, children: int) -> int:
        return await self._run("queued_fan", children)

    async def _run(self, name: str, *arguments: object) -> Any:
        options = {"queue_name": workflows.QUEUE, "workflow_name": name, "app_version": workflows.VERSION}
        handle = await self._client.enqueue_async(options, *arguments)
        return await handle.get_result(polling_interval_sec=workflows.RESULT_POLL_SECONDS)


@asynccontextmanager
async def opened(settings: Answer) -> AsyncIterator[Driver]:
    if settings["direct"]:
        workflows.launch(settings["url"])
        yield DirectDriver()
        DBOS.destroy()
    else:
        client = DBOSClient(system_database_url=settings["url"])
        yield QueueDriver(client)
        client.destroy()


if __name__ == "__main__":
    serve(opened)
