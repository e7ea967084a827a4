"""User code on Celery."""

import os
import time

from celery import Celery

app = Celery("benchmarks", broker=os.environ["BROKER"], backend=os.environ["BROKER"])
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=4)


@app.task
def now() -> int:
    return time.monotonic_ns()


@app.task
def hop(readings: list[int]) -> list[int]:
    return [*readings, time.monotonic_ns()]
