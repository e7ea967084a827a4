"""The client's side of a measurement: one process per system, which triggers runs and times them.

A driver runs in the environment of the system it drives (a peer's own virtual environment), so this
module uses only the standard library. It reads one JSON request a line from standard input and writes
one JSON answer a line to what was its standard output when it started; whatever a peer's library prints
goes to standard error instead. End of input ends the process.

Every clock reading is `time.monotonic_ns()`: on Linux and macOS one clock for all processes since boot,
so the reading taken inside user code can be compared with the one taken before the trigger.
"""

import asyncio
import gc
import json
import os
import sys
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from itertools import pairwise, takewhile
from typing import Any

Answer = dict[str, Any]
NANOSECONDS = 1e9


class Driver(ABC):
    """How to run user code on one system and wait for its result."""

    @abstractmethod
    async def once(self) -> int:
        """Run one task that does nothing but read the clock, and return that reading."""

    @abstractmethod
    async def chain(self, hops: int) -> list[int]:
        """Run a parent that awaits `hops` children one after another; their clock readings in order."""

    @abstractmethod
    async def fan(self, children: int) -> int:
        """Run a parent that awaits `children` children together; how many answered."""

    async def burst(self, runs: int, in_flight: int, seconds: float) -> list[float]:
        """Keep `in_flight` runs going until `runs` were started or `seconds` passed.

        Returns:
            The seconds from trigger to result of every run, all of which have ended.
        """
        taken: list[float] = []
        stop_at = time.monotonic() + seconds
        left = iter(range(runs))

        async def lane() -> None:
            for _ in left:
                begun = time.monotonic()
                if begun >= stop_at:
                    return
                await self.once()
                taken.append(time.monotonic() - begun)

        await asyncio.gather(*(lane() for _ in range(in_flight)))
        return taken


async def measure(driver: Driver, request: Answer) -> Answer:
    """Carry out one request (`{"measure": "latency" | "chain" | "fan" | "burst", ...}`)."""
    match request["measure"]:
        case "latency":
            return await _latency(driver, _places(request))
        case "chain":
            return await _chain(driver, _places(request), request["hops"])
        case "fan":
            return await _fan(driver, _places(request), request["children"])
        case "burst":
            return await _burst(driver, request["runs"], request["in_flight"], request["seconds"])
        case unknown:
            raise ValueError(f"A driver cannot measure {unknown!r}; it knows latency, chain, fan and burst.")


def _places(request: Answer) -> Iterator[int]:
    """Count the runs of a one-at-a-time measurement, up to `runs` of them or until `seconds` passed."""
    stop_at = time.monotonic() + request["seconds"]
    return takewhile(lambda _: time.monotonic() < stop_at, range(request["runs"]))


async def _latency(driver: Driver, places: Iterator[int]) -> Answer:
    to_code, to_result = [], []
    for _ in places:
        begun = time.monotonic_ns()
        entered = await driver.once()
        ended = time.monotonic_ns()
        to_code.append((entered - begun) / NANOSECONDS)
        to_result.append((ended - begun) / NANOSECONDS)
    return {"to_code": to_code, "to_result": to_result}


async def _chain(driver: Driver, places: Iterator[int], hops: int) -> Answer:
    totals, gaps = [], []
    for _ in places:
        begun = time.monotonic()
        readings = await driver.chain(hops)
        totals.append(time.monotonic() - begun)
        if len(readings) != hops:
            raise ValueError(f"A chain of {hops} children returned {len(readings)} clock readings.")
        gaps += [(later - earlier) / NANOSECONDS for earlier, later in pairwise(readings)]
    return {"total": totals, "hop": gaps}


async def _fan(driver: Driver, places: Iterator[int], children: int) -> Answer:
    totals = []
    for _ in places:
        begun = time.monotonic()
        answered = await driver.fan(children)
        totals.append(time.monotonic() - begun)
        if answered != children:
            raise ValueError(f"A fan-out of {children} children returned {answered} results.")
    return {"total": totals}


async def _burst(driver: Driver, runs: int, in_flight: int, seconds: float) -> Answer:
    begun = time.monotonic()
    taken = await driver.burst(runs, in_flight, seconds)
    return {"seconds": time.monotonic() - begun, "to_result": taken}


def serve(opened: Callable[[Answer], AbstractAsyncContextManager[Driver]]) -> None:
    """Answer requests until standard input ends; settings are the JSON of the first argument.

    Args:
        opened: Connects to the system and gives its driver, e.g. a function under `@asynccontextmanager`.
    """
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    asyncio.run(_serve(opened, json.loads(sys.argv[1]), lambda answer: answers.write(json.dumps(answer) + "\n")))


async def _serve(
    opened: Callable[[Answer], AbstractAsyncContextManager[Driver]],
    settings: Answer,
    write: Callable[[Answer], object],
) -> None:
    async with opened(settings) as driver:
        gc.freeze()
        write({"ready": True})
        async for line in _lines():
            try:
                write(await measure(driver, json.loads(line)))
            except Exception:
                write({"error": traceback.format_exc()})


async def _lines() -> AsyncIterator[str]:
    while line := await asyncio.to_thread(sys.stdin.readline):
        yield line
