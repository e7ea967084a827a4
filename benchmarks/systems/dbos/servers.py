"""Starts PostgreSQL and, for the queue, an executor of its own."""

from benchmarks import environments
from benchmarks.stages import Stage
from benchmarks.systems.definitions import Running, System


def _start_direct(stage: Stage) -> Running:
    python = environments.python_of("dbos")
    database = stage.database("dbos")
    driver = stage.driver(python, "benchmarks.systems.dbos.driver", {"url": database.url(), "direct": True})
    return Running(driver, {"client": [driver.pid], "database": [database.pid]})


def _start_queue(stage: Stage) -> Running:
    python = environments.python_of("dbos")
    database = stage.database("dbos")
    worker = stage.start("dbos worker", [python, "-m", "benchmarks.systems.dbos.workers", database.url()])
    worker.wait_until(lambda: "ready" in worker.log_text(), 60, "executor ready")
    driver = stage.driver(python, "benchmarks.systems.dbos.driver", {"url": database.url(), "direct": False})
    return Running(driver, {"client": [driver.pid], "database": [database.pid], "workers": [worker.pid]})


SYSTEMS = [
    System("DBOS, in the client", "dbos", "the client's process", "PostgreSQL, fsync", _start_direct),
    System("DBOS, queue", "dbos", "shared process", "PostgreSQL, fsync", _start_queue),
]
