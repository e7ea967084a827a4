"""Cold starts, one at a time and in turns: a run of Skerry's in a Pod of its own, and a bare Pod that runs Python."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from benchmarks.cluster.benches import Bench
from benchmarks.cluster.sightings import bare_pod
from skerry_objects.clients import PODS

SCRIPT = "import time; open('/dev/termination-log', 'w').write(str(time.monotonic_ns()))"


@dataclass
class Steps:
    """Seconds from the beginning to each step, of every start."""

    task_run: list[float] = field(default_factory=list)
    pod: list[float] = field(default_factory=list)
    scheduled: list[float] = field(default_factory=list)
    connected: list[float] = field(default_factory=list)
    code: list[float] = field(default_factory=list)


async def measure(bench: Bench, count: int) -> tuple[Steps, Steps, Steps]:
    """`count` starts of each kind; gives Skerry's, those of bare Pods, and those of bare Pods without any volume."""
    own, bare, barest = Steps(), Steps(), Steps()
    like = await bench.task_pod()
    for number in range(count):
        await _start_run(bench, own)
        await _start_pod(bench, bare, bare_pod(f"bare-{number}", like, SCRIPT))
        await _start_pod(bench, barest, bare_pod(f"barest-{number}", like, SCRIPT, token=False))
    return own, bare, barest


async def _start_run(bench: Bench, steps: Steps) -> None:
    began = time.monotonic()
    run = await bench.run("faults/clock")
    name = run["id"]
    pod = f"{name}-1"
    await bench.pods.until_ended([pod])
    await bench.task_runs.until_ended([name])
    steps.code.append(run["results"][0] / 1e9 - began)
    steps.task_run.append(bench.task_runs.there[name] - began)
    steps.pod.append(bench.pods.there[pod] - began)
    steps.scheduled.append(bench.pods.scheduled[pod] - began)
    steps.connected.append(_connected(bench.logs(pod)) - began)


async def _start_pod(bench: Bench, steps: Steps, pod: Any) -> None:
    name = pod["metadata"]["name"]
    began = time.monotonic()
    await bench.client.create(PODS, bench.namespace, pod)
    await bench.pods.until_ended([name])
    ended = bench.pods.objects[name]["status"]["containerStatuses"][0]["state"]["terminated"]
    steps.code.append(int(ended["message"]) / 1e9 - began)
    steps.pod.append(bench.pods.there[name] - began)
    steps.scheduled.append(bench.pods.scheduled[name] - began)
    await bench.client.delete(PODS, bench.namespace, name)


def _connected(log: str) -> float:
    """When the runner reached the control plane, on the monotonic clock."""
    lines = (json.loads(line) for line in log.splitlines() if line.startswith("{"))
    said = next(line["timestamp"] for line in lines if line.get("event") == "connected")
    return datetime.fromisoformat(said).timestamp() - (time.time() - time.monotonic())


def milliseconds(found: Sequence[float]) -> float | None:
    """The median; None of nothing."""
    return statistics.median(found) * 1000 if found else None
