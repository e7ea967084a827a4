"""The parts of `python -m benchmarks.cluster.warm`: what each measures, as plain figures."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.cluster import bursts, claims, memories, quiets
from benchmarks.cluster.benches import Bench
from benchmarks.cluster.claims import SETTLE_SECONDS, Claims, percentiles
from benchmarks.cluster.rooms import room
from benchmarks.cluster.standbys import say, until_none, until_waiting, waiting

Section = Callable[[Bench, argparse.Namespace], Awaitable[dict[str, Any]]]

# How long task Pods of the part before may take to go.
QUIET_SECONDS = 120.0
# Requests that only read, to know what any request takes.
FLOOR_REQUESTS = 200


async def latency(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    """Runs one at a time: cold, and in Pods that wait, with pauses and without; and a request that only reads."""
    cold = await claims.cold(bench, options.cold)
    floor = await claims.requests(bench, FLOOR_REQUESTS)
    warm = await claims.one_after_another(bench, options.runs)
    paused = await claims.after_a_pause(bench, options.runs // 10)
    return {
        "to code ms": percentiles(warm.code),
        "to result ms": percentiles(warm.result),
        "after a pause, to code ms": percentiles(paused.code),
        "cold, to code ms": percentiles(cold.code),
        "request that reads ms": percentiles(floor),
    }


async def burst(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    """Many at once while as many Pods wait: by as many requests, and by one."""
    # Those that are taken are replaced before they are over: room for both is needed.
    size = min(options.burst, await room(bench) // 2)
    several, cold = await _requests_at_once(bench, size, options.rounds)
    one = await claims.bursts(bench, size, options.rounds)
    return {
        "size": size,
        "wanted size": options.burst,
        "to code ms": percentiles(several.code),
        "of them in Pods of their own": cold,
        "by one request, to code ms": percentiles(one.code),
    }


async def _requests_at_once(bench: Bench, size: int, rounds: int) -> tuple[Claims, int]:
    """`rounds` times `size` requests at once, and how many runs did not find a Pod that waited after all."""
    found, cold = Claims(), 0

    async def trigger() -> None:
        nonlocal cold
        began = time.monotonic()
        run = await bench.run("faults/clock")
        found.note(began, time.monotonic(), run["results"][0])
        # The Pod of a cold run is named after it.
        cold += run["attempts"][-1]["podName"].startswith(run["id"])

    async with waiting(bench, size):
        for _ in range(rounds):
            await asyncio.sleep(SETTLE_SECONDS)
            await until_waiting(bench, size)
            await bench.open(size)
            await asyncio.gather(*(trigger() for _ in range(size)))
    return found, cold


async def hop(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    """A parent's call of a child, each in a Pod that waited."""
    return {"to child's code ms": percentiles(await claims.hops(bench, options.hops))}


async def process(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    """A process for each run, many in one Pod."""
    rate = await claims.rate(bench, options.rate_runs, options.in_flight, options.capacity)
    return {"runs": options.rate_runs, "in flight": options.in_flight, "capacity": options.capacity, "runs/s": rate}


async def fan_out(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    """Many children of one parent, and lone runs that come meanwhile."""
    seconds, lone = await claims.fan_out(bench, options.children, options.capacity)
    return {"children": options.children, "seconds": seconds, "lone run meanwhile, to result ms": percentiles(lone)}


async def cold_burst(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    """Many at once while none waits, each in a Pod of its own; and as many bare Pods."""
    count, rates = options.cold_burst, dict[str, list[float]](skerry=[], bare=[])
    # Before the Workflow is changed: what waits of the part before would wait as long as that says.
    await until_none(bench, QUIET_SECONDS)
    async with waiting(bench, 0):
        for number in range(options.cold_rounds):
            rates["skerry"].append(count / await bursts.runs(bench, count))
            rates["bare"].append(count / await bursts.bare_pods(bench, count, f"cold-burst-{number}"))
    own, bare = (statistics.median(values) for values in rates.values())
    return {"size": count, "runs/s": own, "bare Pods/s": bare, "ratio": own / bare}


async def memory(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    """A Pod that waits, beside a bare one that has imported the same application."""
    held, alone = await memories.standbys(bench, options.pods)
    return {
        "Pods": options.pods,
        "waiting Pod MiB": held,
        "application alone MiB": alone,
        "difference MiB": held - alone,
    }


async def idle(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    """Nothing is triggered."""
    return await quiets.idle(bench, options.idle_minutes)


SECTIONS: dict[str, Section] = {
    "latency": latency,
    "burst": burst,
    "hop": hop,
    "process": process,
    "fan-out": fan_out,
    "cold-burst": cold_burst,
    "memory": memory,
    "idle": idle,
}


async def restore(bench: Bench) -> None:
    """Leave the Workflow as `skerry deploy` made it."""
    await asyncio.to_thread(say, bench, warm=None, isolation=None, capacity=None)
