"""Tasks that take long enough to be hit, and leave a mark of every time they ran."""

from __future__ import annotations

import os
import time
from pathlib import Path

from skerry import Retry, TaskContext, Workflows

app = Workflows()


def _mark(name: str) -> None:
    with Path(os.environ["MARKS"]).open("a") as marks:
        marks.write(f"{name}\n")


@app.task(retry=Retry(max_retries=2, wait_duration_ms=50, backoff_scaling=1))
def slow(context: TaskContext, seconds: float) -> int:
    _mark(f"begin {context.attempt_number}")
    time.sleep(seconds if context.attempt_number == 1 else 0)
    _mark(f"end {context.attempt_number}")
    return context.attempt_number


@app.task(retry=Retry(max_retries=0, wait_duration_ms=0, backoff_scaling=1))
async def parent(context: TaskContext, seconds: float) -> int:
    return await slow(seconds if context.attempt_number == 1 else 0)


@app.task
def quick(x: int) -> int:
    return x + 1
