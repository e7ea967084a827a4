"""Tasks that end in every way a container can, and say each time they run."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

from skerry import Retry, TaskContext, Workflows

app = Workflows(default_plan="starter")

ONCE = Retry(max_retries=0)


def _say(word: str, context: TaskContext) -> None:
    print(f"{word} {context.run_id} attempt {context.attempt_number} in {socket.gethostname()}")


@app.task(retry=ONCE)
def quick(context: TaskContext, x: int) -> int:
    _say("begin", context)
    return x + 1


@app.task(retry=ONCE)
def slow(context: TaskContext, seconds: float) -> str:
    """Sleep, and say where."""
    _say("begin", context)
    time.sleep(seconds)
    _say("end", context)
    return socket.gethostname()


@app.task(retry=ONCE)
async def fan_out(count: int, seconds: float) -> int:
    """Children that all sleep at once."""
    handles = [slow.submit(seconds) for _ in range(count)]
    return len({await handle for handle in handles})


@app.task(retry=ONCE, timeout_seconds=30)
def too_slow(context: TaskContext) -> None:
    _say("begin", context)
    time.sleep(60)


@app.task(retry=ONCE)
def too_big(context: TaskContext) -> int:
    """Take more memory than the plan has."""
    _say("begin", context)
    taken = [bytearray(os.urandom(1 << 20) * 16) for _ in range(256)]
    return len(taken)


@app.task(retry=ONCE, plan="huge")
def fits_nowhere() -> None:
    """Ask for a plan that no node has room for."""


@app.task(retry=Retry(max_retries=1, wait_duration_ms=100))
def dies(context: TaskContext) -> int:
    """End the process without a word, the first time."""
    _say("begin", context)
    if context.attempt_number == 1:
        sys.stdout.flush()
        os._exit(7)
    return context.attempt_number


@app.task(retry=ONCE)
def limits() -> dict[str, float | str]:
    """What the container may use, as the kernel has it; and who runs in it."""
    group = Path("/sys/fs/cgroup")
    if (group / "memory").exists():  # the first version of cgroups
        quota = (group / "cpu/cpu.cfs_quota_us").read_text(), (group / "cpu/cpu.cfs_period_us").read_text()
        cpu, memory = int(quota[0]) / int(quota[1]), (group / "memory/memory.limit_in_bytes").read_text()
    else:
        allowed, period = (group / "cpu.max").read_text().split()
        cpu, memory = int(allowed) / int(period), (group / "memory.max").read_text()
    return {"cpu": cpu, "memory": int(memory), "user": os.getuid(), "host": socket.gethostname()}


@app.task(retry=ONCE, plan="standard")
def grows(context: TaskContext, seconds: float) -> int:
    """Last, with a plan that a Pod outgrows which waits small."""
    _say("begin", context)
    time.sleep(seconds)
    return int(seconds)


@app.task(retry=ONCE, plan="huge")
def outgrows(context: TaskContext, seconds: float) -> int:
    """Last, with a plan that no node has room for."""
    _say("begin", context)
    time.sleep(seconds)
    return int(seconds)


@app.task(retry=ONCE, plan="standard")
def clock() -> int:
    """The clock that all processes of a machine share, for benchmarks."""
    return time.monotonic_ns()


@app.task(retry=ONCE, plan="standard")
async def hop() -> list[int]:
    """The clock before a child run, in the child, and after it."""
    asked = time.monotonic_ns()
    there = await clock.submit()
    return [asked, there, time.monotonic_ns()]


@app.task(retry=ONCE, plan="standard")
async def spread(count: int) -> list[int]:
    """The clock before and after many child runs at once."""
    began = time.monotonic_ns()
    handles = [clock.submit() for _ in range(count)]
    for handle in handles:
        await handle
    return [began, time.monotonic_ns()]


@app.task(retry=ONCE)
def echo(context: TaskContext, word: str, seconds: float) -> str:
    """Give back what came, a while later."""
    _say("begin", context)
    time.sleep(seconds)
    return word


@app.task(retry=Retry(max_retries=1, wait_duration_ms=100))
def stumble(context: TaskContext, word: str) -> str:
    """Fail the first time, give back what came the second."""
    _say("begin", context)
    if context.attempt_number == 1:
        raise RuntimeError("the first attempt fails")
    return word


@app.task(retry=ONCE)
async def family(word: str, count: int) -> list[str]:
    """What the children give back, each a word of its own."""
    handles = [echo.submit(f"{word}/{number}", 0.5) for number in range(count)]
    return [await handle for handle in handles]
