"""Standard output and error, whose reader may go away before the runner does."""

from __future__ import annotations

import os
import sys
from typing import TextIO


class Output:
    """A standard stream; once nobody reads it, what is written to it is dropped.

    A runner whose log reader has died must still stop its attempts in good order, so a log line must not fail.
    """

    def __init__(self, stream: TextIO) -> None:
        """Write to `stream`."""
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text."""
        self.write_bytes(text.encode("utf-8", "backslashreplace"))
        return len(text)

    def write_bytes(self, data: bytes) -> None:
        """Write bytes, all of them, at once."""
        try:
            self._stream.buffer.write(data)
            self._stream.buffer.flush()
        except BrokenPipeError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)

    def flush(self) -> None:
        """Nothing is kept back."""


def standard_outputs() -> dict[str, Output]:
    """This process's `stdout` and `stderr`, by name."""
    return {"stdout": Output(sys.stdout), "stderr": Output(sys.stderr)}
