"""What one system runs on while it is measured: a folder, ports, a database, and processes that end with it."""

import contextlib
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks import databases
from benchmarks.processes import Child, DriverProcess

REPOSITORY = Path(__file__).resolve().parent.parent
PYTHON = Path(sys.executable)
QUIET = {"DO_NOT_TRACK": "1", "PYTHONUNBUFFERED": "1"}


class Stage:
    """A context: everything started on it is stopped, newest first, when it ends, and its folder removed."""

    def __init__(self) -> None:
        self._ends = contextlib.ExitStack()
        self.folder = Path(tempfile.mkdtemp(prefix="skerry-bench-"))
        self._ends.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self._ends.callback(databases.stop_left_behind, self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.close()

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        environment: dict[str, str] | None = None,
        folder: Path | None = None,
    ) -> Child:
        """Start a program; its output goes to a log on this stage."""
        child = Child(name, command, self._log(name), {**QUIET, **(environment or {})}, folder or REPOSITORY)
        self._ends.callback(child.stop)
        return child

    def driver(
        self,
        python: Path,
        module: str,
        settings: dict[str, Any],
        environment: dict[str, str] | None = None,
    ) -> DriverProcess:
        """Start a driver module in an environment and wait until it is connected."""
        name = module.rpartition(".")[2]
        driver = DriverProcess(
            name,
            python,
            module,
            settings,
            self._log(name),
            environment={**QUIET, **(environment or {})},
            folder=REPOSITORY,
        )
        self._ends.callback(driver.stop)
        driver.ready()
        return driver

    def database(self, name: str) -> databases.Database:
        """Start an own PostgreSQL with one empty database in it."""
        return self._ends.enter_context(databases.started(self.folder / "postgres", name))

    def _log(self, name: str) -> Path:
        return self.folder / f"{name.replace(' ', '-')}-{os.urandom(2).hex()}.log"


def free_port() -> int:
    """A TCP port on the loopback address that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether something accepts connections on this port of the loopback address."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0
