from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from skerry_objects.configurations import Configuration
from skerry_operator.leases import Terms
from skerry_operator.operators import Operator
from skerry_operator.settings import Settings
from tests.integration.operator.clusters import FakeCluster, Json, Refused, fake_cluster

TERMS = Terms(duration=1.0, deadline=0.7, retry=0.1)


class World:
    """A cluster with a pool, and operators that come and go."""

    def __init__(self, cluster: FakeCluster, configuration: Configuration) -> None:
        self.cluster = cluster
        self.configuration = configuration
        self.operators: list[tuple[Operator, asyncio.Task[None]]] = []

    async def operate(self, identity: str = "one", *, wait: bool = True, **settings: Any) -> Operator:
        """Start an operator, and wait until it is active."""
        chosen = Settings(url="http://control-plane", identity=identity, port=0, **settings)
        operator = Operator(self.configuration, chosen, TERMS)
        self.operators.append((operator, asyncio.create_task(operator.run())))
        if wait:
            await self.until(lambda: operator.metrics.active._value.get() == 1)
        return operator

    async def stop(self, operator: Operator) -> None:
        """As SIGTERM does it."""
        operator.stop.set()
        await next(task for entry, task in self.operators if entry is operator)

    async def kill(self, operator: Operator) -> None:
        """As SIGKILL does it: the Lease is not released."""
        before = self.cluster.refuse

        def refuse(verb: str, plural: str, body: Json) -> Refused | None:
            released = plural == "leases" and verb == "update" and body["spec"]["holderIdentity"] == ""
            return Refused(500, "Killed", "this process is dead") if released else before(verb, plural, body)

        self.cluster.refuse = refuse
        task = next(task for entry, task in self.operators if entry is operator)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self.cluster.refuse = before

    async def until(self, probe: Callable[[], Any], seconds: float = 15.0) -> Any:
        """The first true answer of `probe`."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    value = probe()
                    if value:
                        return value
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"not within {seconds} s; TaskRuns: {self.cluster.all('taskruns')}") from None

    async def pool(
        self, name: str = "pool", replicas: int = 0, idle_requests: Json | None = None, **template: Any
    ) -> Json:
        spec = {
            "workflow": "etl",
            "version": "wfv-1",
            "plan": "standard",
            "replicas": replicas,
            "template": {"image": "registry.test/etl:1", "app": "main:app", **template},
        }
        if idle_requests is not None:
            spec["idleRequests"] = idle_requests
        return await self.cluster.put("runnerpools", {"metadata": {"name": name}, "spec": spec})

    async def run(self, name: str = "trn-1", **spec: Any) -> Json:
        values = {
            "runID": name,
            "workflow": "etl",
            "version": "wfv-1",
            "task": "load",
            "attempt": 1,
            "poolRef": "pool",
            "plan": "standard",
            "timeoutSeconds": 60,
            **spec,
        }
        return await self.cluster.put("taskruns", {"metadata": {"name": name}, "spec": values})

    async def until_phase(self, phase: str, name: str = "trn-1", attempt: int = 1, seconds: float = 15.0) -> Json:
        def reached() -> Json | None:
            status = self.cluster.status(name)
            return status if status.get("phase") == phase and status.get("attempt") == attempt else None

        found: Json = await self.until(reached, seconds)
        return found

    async def until_pod(self, name: str = "trn-1-1") -> Json:
        found: Json = await self.until(lambda: self.cluster.get("pods", name))
        return found


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    async with fake_cluster() as (cluster, configuration):
        made = World(cluster, configuration)
        try:
            yield made
        finally:
            for operator, _ in made.operators:
                operator.stop.set()
            await asyncio.wait_for(asyncio.gather(*(task for _, task in made.operators), return_exceptions=True), 20)


@pytest.fixture(name="world")
async def world_fixture() -> AsyncIterator[World]:
    async with world() as made:
        yield made
