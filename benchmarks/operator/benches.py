"""A control plane becomes ready for a load: nodes that take Pods, a namespace, Skerry's kinds."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from benchmarks.operator import credentials, kinds, nodes, workloads
from benchmarks.operator.planes import NAMESPACE, Plane
from benchmarks.processes import BenchmarkError
from skerry_objects import crds
from skerry_objects.clients import RUNNER_POOLS, ApiError, Client, Unreachable

Json = dict[str, Any]

READY_SECONDS = 60.0


def prepare(plane: Plane, machines: list[Json] | None = None, pools: list[Json] | None = None) -> None:
    """Make everything that a load needs.

    Args:
        plane: Where.
        machines: Its nodes; None: some that have room for everything.
        pools: RunnerPools; None: one that keeps no Pods ahead.

    Raises:
        BenchmarkError: Something was refused, or did not become ready.
    """
    try:
        asyncio.run(
            _prepare(
                plane,
                nodes.nodes() if machines is None else machines,
                [workloads.pool_manifest()] if pools is None else pools,
            )
        )
    except TimeoutError as problem:
        raise BenchmarkError(f"the control plane was not ready within {READY_SECONDS:.0f} s") from problem
    except (ApiError, Unreachable) as problem:
        raise BenchmarkError(f"the control plane could not be prepared: {problem}") from problem


async def _prepare(plane: Plane, machines: list[Json], pools: list[Json]) -> None:
    async with Client(plane.configuration(credentials.CLIENT)) as client, asyncio.timeout(READY_SECONDS):
        for node in machines:
            await client.create(kinds.NODES, None, node)
        for definition in crds.DEFINITIONS:
            await client.create(kinds.DEFINITIONS, None, crds.definition(definition))
        await client.create(kinds.NAMESPACES, None, {"metadata": {"name": NAMESPACE}})
        await _until_ready(client)
        await client.create(kinds.ROLE_BINDINGS, NAMESPACE, workloads.operators_binding(credentials.OPERATOR))
        for pool in pools:
            await client.create(RUNNER_POOLS, NAMESPACE, pool)


async def _until_ready(client: Client) -> None:
    while True:
        with contextlib.suppress(ApiError):
            await client.get(kinds.SERVICE_ACCOUNTS, NAMESPACE, "default")
            await client.list(RUNNER_POOLS, NAMESPACE)
            found, _ = await client.list(kinds.NODES, None)
            if all(nodes.is_usable(node) for node in found):
                return
        await asyncio.sleep(0.2)
