"""The buffers of watches: as large as in a cluster that has had work before, not as in one that was born for the measurement.

The API server gives each watch a buffer for about a second's changes, by how many there were lately: 10 where it is new, up to
1,000 for Pods. When a buffer is full, it closes the watch. In a burst on a new one it closed all watches of Pods again and
again, the scheduler's and KWOK's too; each began anew and heard thousands of changes twice.

Source: `suggestedWatchChannelSize` in
https://github.com/kubernetes/kubernetes/blob/v1.34.4/staging/src/k8s.io/apiserver/pkg/storage/cacher/watch_cache.go
"""

from __future__ import annotations

import asyncio
from typing import Any

from benchmarks.operator import kinds
from benchmarks.processes import BenchmarkError
from skerry_objects.clients import PODS, ApiError, Client, Unreachable
from skerry_objects.configurations import Configuration

Json = dict[str, Any]

# A minute of 50 changes a second: it takes a few seconds, and buffers become 86 and more.
CHANGES = 4000
AT_ONCE = 16
NAMESPACE = "before"


def grow(configuration: Configuration) -> None:
    """Change some Pods often; nobody watches yet, and nothing of them stays.

    Raises:
        BenchmarkError: Something was refused.
    """
    try:
        asyncio.run(_grow(configuration))
    except ExceptionGroup as problems:
        raise BenchmarkError(f"Pods could not be changed: {problems.exceptions[0]}") from problems
    except (ApiError, Unreachable) as problem:
        raise BenchmarkError(f"Pods could not be changed: {problem}") from problem


async def _grow(configuration: Configuration) -> None:
    async with Client(configuration, connections=AT_ONCE) as client:
        await client.create(kinds.NAMESPACES, None, {"metadata": {"name": NAMESPACE}})
        await client.create(kinds.SERVICE_ACCOUNTS, NAMESPACE, {"metadata": {"name": "default"}})
        async with asyncio.TaskGroup() as group:
            for number in range(AT_ONCE):
                group.create_task(_change(client, f"pod-{number}"))


async def _change(client: Client, name: str) -> None:
    spec: Json = {"containers": [{"name": "nothing", "image": "registry.test/nothing:1"}]}
    await client.create(PODS, NAMESPACE, {"metadata": {"name": name}, "spec": spec})
    for count in range(CHANGES // AT_ONCE):
        await client.patch(PODS, NAMESPACE, name, {"metadata": {"labels": {"count": str(count)}}})
    await client.delete(PODS, NAMESPACE, name)
