"""Drives Restate through its HTTP ingress, with the same client as Skerry's driver."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.connections import Connections
from benchmarks.drivers import Answer, Driver, serve


class RestateDriver(Driver):
    def __init__(self, ingress: Connections, children: str) -> None:
        self._ingress = ingress
        self._children = children

    async def once(self) -> int:
        return await self._ingress.post(f"/bench/{self._children}_once", 0)

    async def chain(self, hops: int) -> list[int]:
        return await self._ingress.post(f"/bench/{self._children}_chain", hops)

    async def fan(self, children: int) -> int:
        return await self._ingress.post(f"/bench/{self._children}_fan", children)


@asynccontextmanager
async def opened(settings: Answer) -> AsyncIterator[Driver]:
    admin, ingress = Connections(settings["admin"]), Connections(settings["ingress"])
    await admin.post("/deployments", {"uri": settings["services"]})
    try:
        yield RestateDriver(ingress, settings["children"])
    finally:
        await admin.close()
        await ingress.close()


if __name__ == "__main__":
    serve(opened)
