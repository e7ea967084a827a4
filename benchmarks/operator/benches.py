"""A control plane that is ready for a load: nodes that take Pods, a namespace, Skerry's kinds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.operator import credentials, nodes, workloads
from benchmarks.operator.audits import Trail
from benchmarks.operator.loads import AT_ONCE, Done, Load, run
from benchmarks.operator.planes import NAMESPACE, Plane
from benchmarks.processes import BenchmarkError
from skerry_objects import crds
from skerry_objects.clients import RUNNER_POOLS, ApiError, Client, Resource, Unreachable

READY_SECONDS = 60.0


class Bench:
    """A control plane to put loads on."""

    def __init__(self, plane: Plane, client: Client) -> None:
        self.plane = plane
        self._client = client

    async def load(self, resource: Resource, names: list[str], rate: float, done: Done) -> Load:
        """Create TaskRuns or Jobs and wait until all are `done`; see `loads.run`."""
        make = workloads.job if resource == workloads.JOBS else workloads.task_run
        trail = Trail(self.plane.audit)
        return await run(self._client, resource, [make(name) for name in names], rate, trail, done)


@asynccontextmanager
async def bench(plane: Plane) -> AsyncIterator[Bench]:
    """Prepare a control plane.

    Raises:
        BenchmarkError: Something did not become ready.
    """
    async with Client(plane.configuration(credentials.CLIENT), connections=AT_ONCE) as client:
        try:
            async with asyncio.timeout(READY_SECONDS):
                await _prepare(client)
        except TimeoutError as problem:
            raise BenchmarkError(f"the control plane was not ready within {READY_SECONDS:.0f} s") from problem
        yield Bench(plane, client)


async def _prepare(client: Client) -> None:
    for node in nodes.nodes():
        await client.create(workloads.NODES, None, node)
    for definition in crds.DEFINITIONS:
        await client.create(workloads.DEFINITIONS, None, crds.definition(definition))
    await client.create(workloads.NAMESPACES, None, {"metadata": {"name": NAMESPACE}})
    binding = workloads.operators_binding(credentials.OPERATOR)
    await client.create(workloads.ROLE_BINDINGS, NAMESPACE, binding)
    while not await _is_ready(client):
        await asyncio.sleep(0.2)
    await client.create(RUNNER_POOLS, NAMESPACE, workloads.pool_manifest())


async def _is_ready(client: Client) -> bool:
    try:
        await client.get(workloads.SERVICE_ACCOUNTS, NAMESPACE, "default")
        await client.list(RUNNER_POOLS, NAMESPACE)
        found: list[dict[str, Any]] = (await client.list(workloads.NODES, None))[0]
    except (ApiError, Unreachable):
        return False
    return all(nodes.is_usable(node) for node in found)
