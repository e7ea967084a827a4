"""Starts Skerry as a developer does, with its embedded PostgreSQL, and waits for its tasks to be registered."""

import json
import urllib.request
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from benchmarks import stages
from benchmarks.processes import BenchmarkError, Child
from benchmarks.stages import PYTHON, REPOSITORY, Stage
from benchmarks.systems.definitions import Running, System

WORKFLOW = "bench"
START_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """A Skerry server that answers, with the tasks of `benchmarks.tasks` ready to run.

    Attributes:
        url: Its REST address.
        pid: The control plane.
        database_pid: Its PostgreSQL's main process.
        runner_pids: Its runners; empty if none has been started yet.
        database_url: Where to connect to its PostgreSQL.
        database_log: The file that its PostgreSQL logs to.
    """

    url: str
    pid: int
    database_pid: int
    runner_pids: list[int]
    database_url: str
    database_log: Path

    @property
    def parts(self) -> dict[str, list[int]]:
        """Its processes by part."""
        return {"control plane": [self.pid], "database": [self.database_pid], "workers": self.runner_pids}


def started(stage: Stage, isolation: str) -> Server:
    """Start a server on a stage.

    Raises:
        BenchmarkError: It ended, or was not ready within `START_SECONDS`; with the end of its log.
    """
    port, data = stages.free_port(), stage.folder / "skerry"
    command: list[str | Path] = [
        PYTHON.parent / "skerry-api",
        "dev",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--data",
        data,
    ]
    command += ["--workflow", WORKFLOW, "--workdir", REPOSITORY, "--isolation", isolation, "--no-watch"]
    child = stage.start(f"skerry {isolation}", [*command, "--app", "benchmarks.tasks:app"], folder=stage.folder)
    url = f"http://127.0.0.1:{port}"
    child.wait_until(lambda: _is_ready(url), START_SECONDS, "ready answer")
    child.wait_until(lambda: _has_tasks(url), START_SECONDS, "registered task")
    child.wait_until(lambda: bool(_runners(child)), START_SECONDS, "runner process")
    postmaster = (data / "postgres" / "postmaster.pid").read_text().splitlines()
    database_url = f"postgresql://postgres@/postgres?host={postmaster[4]}&port={postmaster[3]}"
    log = data / "postgres" / "log"
    return Server(url, child.pid, int(postmaster[0]), _runners(child), database_url, log)


def _start(stage: Stage, isolation: str) -> Running:
    server = started(stage, isolation)
    settings = {"url": server.url, "workflow": WORKFLOW, "suffix": ""}
    driver = stage.driver(PYTHON, "benchmarks.systems.skerry.driver", settings)
    return Running(driver, {"client": [driver.pid], **server.parts})


def _is_ready(url: str) -> bool:
    try:
        _get(f"{url}/readyz")
    except OSError:
        return False
    return True


def _has_tasks(url: str) -> bool:
    for entry in _get(f"{url}/v1/workflowversions"):
        if entry["workflowVersion"]["status"] == "registration_failed":
            raise BenchmarkError("Skerry could not register benchmarks.tasks", str(entry["workflowVersion"]["error"]))
    return bool(_get(f"{url}/v1/tasks?workflowSlug={WORKFLOW}"))


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.loads(answer.read() or b"null")


def _runners(child: Child) -> list[int]:
    family = psutil.Process(child.pid).children(recursive=True)
    return [process.pid for process in family if "skerry_runner" in process.cmdline()]


SYSTEMS = [
    System("Skerry", None, "process per run", "PostgreSQL, fsync", partial(_start, isolation="process")),
    System("Skerry, worker", None, "shared process", "PostgreSQL, fsync", partial(_start, isolation="worker")),
]
