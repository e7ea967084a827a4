"""Starts Temporal's development server and a worker."""

from functools import partial

from benchmarks import environments, stages
from benchmarks.stages import Stage
from benchmarks.systems.definitions import Running, System


def _start(stage: Stage, in_file: bool) -> Running:
    python = environments.python_of("temporal")
    port, http, metrics = (stages.free_port() for _ in range(3))
    command = [str(python.parent / "temporal"), "server", "start-dev", "--headless", "--ip", "127.0.0.1"]
    command += ["--port", str(port), "--http-port", str(http), "--metrics-port", str(metrics), "--log-level", "error"]
    kept = ["--db-filename", str(stage.folder / "temporal.db")] if in_file else []
    server = stage.start("temporal server", [*command, *kept])
    server.wait_until(lambda: stages.listens(port), 60, "connection accepted")
    address = f"127.0.0.1:{port}"
    worker = stage.start("temporal worker", [python, "-m", "benchmarks.systems.temporal.workers", address])
    driver = stage.driver(python, "benchmarks.systems.temporal.driver", {"address": address})
    return Running(driver, {"client": [driver.pid], "control plane": [server.pid], "workers": [worker.pid]})


SYSTEMS = [
    System("Temporal dev", "temporal", "shared process", "SQLite file", partial(_start, in_file=True)),
    System("Temporal dev, memory", "temporal", "shared process", "memory", partial(_start, in_file=False)),
]
