r"""Standard output and error of a process that serves many runs: each line says whose it is.

A line of a run is written as `\x1e<attempt>\x1f<line>`; what no run wrote stays as it is.
"""

from __future__ import annotations

import io
import sys
import threading
from typing import BinaryIO

from skerry.contexts import active_run


class TaggedStream(io.TextIOBase):
    """Collects text per attempt and writes whole lines."""

    encoding = "utf-8"

    def __init__(self, target: BinaryIO) -> None:
        """Write to `target`, which is not buffered."""
        super().__init__()
        self._target = target
        self._partial: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def buffer(self) -> BinaryIO:
        """Where bytes go that are written past the text layer; they carry no tag."""
        return self._target

    def fileno(self) -> int:
        """The real descriptor, for programs started by a task."""
        return self._target.fileno()

    def writable(self) -> bool:
        """Yes."""
        return True

    def isatty(self) -> bool:
        """No: the runner reads it."""
        return False

    def write(self, text: str) -> int:
        """Write the lines that `text` completes."""
        run = active_run()
        attempt = run.context.attempt_id if run else ""
        with self._lock:
            *lines, rest = (self._partial.pop(attempt, "") + text).split("\n")
            if rest:
                self._partial[attempt] = rest
            if lines:
                self._write(attempt, lines)
        return len(text)

    def end(self, attempt: str) -> None:
        """Complete the last line of `attempt`."""
        if attempt in self._partial:
            with self._lock:
                self._write(attempt, [self._partial.pop(attempt)])

    def _write(self, attempt: str, lines: list[str]) -> None:
        tag = f"\x1e{attempt}\x1f" if attempt else ""
        data = "".join(f"{tag}{line}\n" for line in lines).encode("utf-8", "backslashreplace")
        while data:
            data = data[self._target.write(data) :]


class TaggedStreams:
    """Standard output and error, both tagged."""

    def __init__(self) -> None:
        """Open the descriptors 1 and 2 anew, without buffers."""
        self._streams = [TaggedStream(io.FileIO(fd, "wb", closefd=False)) for fd in (1, 2)]

    def install(self) -> None:
        """Put them in the place of sys.stdout and sys.stderr."""
        sys.stdout, sys.stderr = self._streams

    def end(self, attempt: str) -> None:
        """Complete the last lines of `attempt`."""
        for stream in self._streams:
            stream.end(attempt)
