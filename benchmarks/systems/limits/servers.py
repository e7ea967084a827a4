"""Rows for what no system on this machine can beat."""

from collections.abc import Callable
from functools import partial

from benchmarks.stages import PYTHON, Stage
from benchmarks.systems.definitions import Running, System

DRIVER = "benchmarks.systems.limits.driver"


def _start(stage: Stage, limit: str) -> Running:
    driver = stage.driver(PYTHON, DRIVER, {"limit": limit})
    return Running(driver, {"client": [driver.pid]})


def _start_commit(stage: Stage) -> Running:
    database = stage.database("limits")
    driver = stage.driver(PYTHON, DRIVER, {"limit": "commit", "url": database.url()})
    return Running(driver, {"client": [driver.pid], "database": [database.pid]})


def _limit(
    name: str, isolation: str, kept: str, start: Callable[[Stage], Running], in_flight: int | None = None
) -> System:
    return System(name, None, isolation, kept, start, in_flight, is_limit=True)


SYSTEMS = [
    _limit("Limit: fork and pipe", "process per run", "nowhere", partial(_start, limit="fork")),
    _limit("Limit: fresh Python", "process per run", "nowhere", partial(_start, limit="process")),
    _limit("Limit: one commit", "no user code", "PostgreSQL, fsync", _start_commit, in_flight=1),
]
