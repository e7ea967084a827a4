"""Drives Prefect: flows in this process (`direct`), or deployed flows that a runner starts as processes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from prefect.deployments import arun_deployment

from benchmarks.drivers import Answer, Driver, serve
from benchmarks.systems.prefect import flows

RESULT_POLL_SECONDS = 0.05
DEADLINE = 120


class DirectDriver(Driver):
    async def once(self) -> int:
        return await flows.once()

    async def chain(self, hops: int) -> list[int]:
        return await flows.chain(hops)

    async def fan(self, children: int) -> int:
        return await flows.fan(children)


class ServedDriver(Driver):
    async def once(self) -> int:
        return await self._run("once")

    async def chain(self, hops: int) -> list[int]:
        return await self._run("chain", hops=hops)

    async def fan(self, children: int) -> int:
        return await self._run("fan", children=children)

    async def _run(self, name: str, **parameters: object) -> Any:
        run = await arun_deployment(
            f"{name}/{flows.DEPLOYMENT}",
            parameters=parameters,
            timeout=DEADLINE,
            poll_interval=RESULT_POLL_SECONDS,
            as_subflow=False,
        )
        if run.state is None or not run.state.is_final():
            raise TimeoutError(f"The flow run has not ended within {DEADLINE} s.")
        return await run.state.aresult()


@asynccontextmanager
async def opened(settings: Answer) -> AsyncIterator[Driver]:
    yield DirectDriver() if settings["direct"] else ServedDriver()


if __name__ == "__main__":
    serve(opened)
