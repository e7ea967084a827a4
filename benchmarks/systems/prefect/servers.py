"""Starts Prefect's server and, for deployed flows, the runner that starts a process for each."""

import json
import urllib.request
from pathlib import Path

from benchmarks import environments, stages
from benchmarks.databases import Database
from benchmarks.processes import Child
from benchmarks.stages import Stage
from benchmarks.systems.definitions import Running, System

POLL_SECONDS = 1
MOST_PROCESSES = 4
MOST_FLOWS = 20  # with 100 at once the server answers 503 to some


def _start_server(stage: Stage) -> tuple[Database, Child, dict[str, str]]:
    python = environments.python_of("prefect")
    database = _start_database(stage, python)
    port = stages.free_port()
    environment = {
        "PREFECT_HOME": str(stage.folder / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_API_DATABASE_CONNECTION_URL": database.url("postgresql+asyncpg"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_RUNNER_POLL_FREQUENCY": str(POLL_SECONDS),
        "PREFECT_RUNNER_PROCESS_LIMIT": str(MOST_PROCESSES),
    }
    server = stage.start(
        "prefect server",
        [python, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"],
        environment,
    )
    server.wait_until(lambda: _answers(f"http://127.0.0.1:{port}/api/health"), 120, "healthy answer")
    return database, server, environment


def _start_database(stage: Stage, python: Path) -> Database:
    server = stage.start(
        "postgresql", [python, "-m", "benchmarks.systems.prefect.databases", stage.folder / "postgres"]
    )
    server.wait_until(lambda: '"pid"' in server.log_text(), 60, "database")
    found = json.loads(next(line for line in server.log_text().splitlines() if '"pid"' in line))
    return Database(found["name"], Path(found["socket_folder"]), found["pid"])


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _start_direct(stage: Stage) -> Running:
    database, server, environment = _start_server(stage)
    python = environments.python_of("prefect")
    driver = stage.driver(python, "benchmarks.systems.prefect.driver", {"direct": True}, environment)
    return Running(driver, {"client": [driver.pid], "control plane": [server.pid], "database": [database.pid]})


def _start_served(stage: Stage) -> Running:
    database, server, environment = _start_server(stage)
    environment["PREFECT_RESULTS_PERSIST_BY_DEFAULT"] = "true"
    python = environments.python_of("prefect")
    runner = stage.start("prefect runner", [python, "-m", "benchmarks.systems.prefect.flows"], environment)
    runner.wait_until(lambda: "ready" in runner.log_text(), 60, "deployed flow")
    driver = stage.driver(python, "benchmarks.systems.prefect.driver", {"direct": False}, environment)
    parts = {
        "client": [driver.pid],
        "control plane": [server.pid],
        "database": [database.pid],
        "workers": [runner.pid],
    }
    return Running(driver, parts)


SYSTEMS = [
    System(
        "Prefect, in the client",
        "prefect",
        "the client's process",
        "PostgreSQL, fsync",
        _start_direct,
        in_flight=MOST_FLOWS,
    ),
    System(
        "Prefect, served",
        "prefect",
        "process per run",
        "PostgreSQL, fsync",
        _start_served,
        in_flight=MOST_PROCESSES,
    ),
]
