"""Drives Temporal through its client, which waits for a result by a long poll."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.client import Client

from benchmarks.drivers import Answer, Driver, serve
from benchmarks.systems.temporal.workflows import QUEUE, Chain, Fan, Once


class TemporalDriver(Driver):
    def __init__(self, client: Client) -> None:
        self._client = client

    async def once(self) -> int:
        return await self._client.execute_workflow(Once.run, id=uuid.uuid4().hex, task_queue=QUEUE)

    async def chain(self, hops: int) -> list[int]:
        return await self._client.execute_workflow(Chain.run, hops, id=uuid.uuid4().hex, task_queue=QUEUE)

    async def fan(self, children: int) -> int:
        return await self._client.execute_workflow(Fan.run, children, id=uuid.uuid4().hex, task_queue=QUEUE)


@asynccontextmanager
async def opened(settings: Answer) -> AsyncIterator[Driver]:
    yield TemporalDriver(await Client.connect(settings["address"]))


if __name__ == "__main__":
    serve(opened)
