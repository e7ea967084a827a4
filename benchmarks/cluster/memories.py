"""Memory of Pods that wait, beside bare ones that have imported the same application."""

from __future__ import annotations

import asyncio
import statistics

from benchmarks.cluster.benches import Bench
from benchmarks.cluster.footprints import ALONE, PROCESSES
from benchmarks.cluster.sightings import bare_pod
from benchmarks.cluster.standbys import WORKFLOW, until_waiting, waiting
from skerry_objects.clients import PODS


async def standbys(bench: Bench, count: int) -> tuple[float, float]:
    """Mean MiB of Pods that wait, and of as many bare Pods: each kind shares pages among itself."""
    async with waiting(bench, count):
        await until_waiting(bench, count)
        held = await asyncio.to_thread(_mean, bench, await asyncio.to_thread(_names, bench, "standard"))
    like = await bench.task_pod()
    bare = [f"bare-alone-{number}" for number in range(count)]
    await asyncio.gather(*(bench.client.create(PODS, bench.namespace, bare_pod(name, like, ALONE)) for name in bare))
    try:
        for name in bare:
            await bench.until_logged(name, "ready")
        alone = await asyncio.to_thread(_mean, bench, bare)
    finally:
        await asyncio.gather(*(bench.client.delete(PODS, bench.namespace, name) for name in bare))
    return held, alone


def _names(bench: Bench, plan: str) -> list[str]:
    selector = ("--selector", f"skerry.dev/workflow={WORKFLOW},!skerry.dev/run")
    found = bench.tasks.names("pods", *selector, "--field-selector", "status.phase=Running")
    return sorted(name for name in found if f"-{plan}-" in name)


def _mean(bench: Bench, pods: list[str]) -> float:
    read = (bench.tasks.kubectl("exec", pod, "--", "sh", "-c", PROCESSES) for pod in pods)
    return statistics.mean(int(kibibytes) / 1024 for kibibytes in read)
