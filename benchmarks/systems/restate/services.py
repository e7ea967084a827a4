"""User code on Restate, served to it over HTTP/2 on the loopback address.

A child of a run is a step of the same invocation (`step_*`), or an invocation of its own (`call_*`).
"""

import asyncio
import sys
import time

import restate
from hypercorn.asyncio import serve
from hypercorn.config import Config

bench = restate.Service("bench")


def read_clock() -> int:
    return time.monotonic_ns()


@bench.handler()
async def step_once(context: restate.Context, _: int) -> int:
    return await context.run_typed("clock", read_clock)


@bench.handler()
async def step_chain(context: restate.Context, hops: int) -> list[int]:
    return [await context.run_typed(f"clock {place}", read_clock) for place in range(hops)]


@bench.handler()
async def step_fan(context: restate.Context, children: int) -> int:
    steps = [context.run_typed(f"clock {place}", read_clock) for place in range(children)]
    await restate.gather(*steps)
    return len([await step for step in steps])


@bench.handler()
async def call_once(_: restate.Context, __: int) -> int:
    return read_clock()


@bench.handler()
async def call_chain(context: restate.Context, hops: int) -> list[int]:
    return [await context.service_call(call_once, arg=0) for _ in range(hops)]


@bench.handler()
async def call_fan(context: restate.Context, children: int) -> int:
    calls = [context.service_call(call_once, arg=0) for _ in range(children)]
    await restate.gather(*calls)
    return len([await call for call in calls])


def main(port: str) -> None:
    settings = Config()
    settings.bind = [f"127.0.0.1:{port}"]
    settings.loglevel = "error"
    asyncio.run(serve(restate.app([bench]), settings))


if __name__ == "__main__":
    main(sys.argv[1])
