"""Memory, as the kernel counts it: of control plane and operator, and of a task's Pod beside the user's own process."""

from __future__ import annotations

from benchmarks.cluster.benches import Bench
from benchmarks.cluster.sightings import bare_pod
from skerry_objects.clients import PODS
from tests.end_to_end.clusters import Namespace

# Proportional sizes of all processes of a container, in KiB: pages that they share are counted once.
PROCESSES = "cat /proc/[0-9]*/smaps_rollup | awk '/^Pss:/ {sum += $2} END {print sum}'"
PEAK = "awk '/^VmHWM:/ {print $2}' /proc/1/status"
# What a process of the user's is without Skerry around it: Python with the same application imported.
ALONE = "import tasks, time; print('ready', flush=True); time.sleep(600)"


def peaks(own: Namespace, component: str) -> list[float]:
    """The most memory that each replica of a component has ever had, in MiB."""
    names = own.names("pods", "--selector", f"app.kubernetes.io/component={component}")
    return [_mebibytes(own, name, PEAK) for name in sorted(names)]


async def overhead(bench: Bench) -> tuple[float, float]:
    """MiB of a Pod in which a task runs, and of a bare Pod with the same application."""
    started = await bench.batch("faults/slow", 1, [8])
    pod = f"{started[0]}-1"
    await bench.until_logged(pod, "begin")
    with_runner = _mebibytes(bench.tasks, pod, PROCESSES)
    await bench.client.create(PODS, bench.namespace, bare_pod("bare-alone", await bench.task_pod(), ALONE))
    await bench.until_logged("bare-alone", "ready")
    alone = _mebibytes(bench.tasks, "bare-alone", PROCESSES)
    await bench.client.delete(PODS, bench.namespace, "bare-alone")
    await bench.task_runs.until_ended(started)
    return with_runner, alone


def _mebibytes(namespace: Namespace, pod: str, command: str) -> float:
    return int(namespace.kubectl("exec", pod, "--", "sh", "-c", command)) / 1024
