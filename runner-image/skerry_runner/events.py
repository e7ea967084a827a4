"""What the runner tells about itself: one JSON object per line on standard error.

The keys are those of structlog, which the other parts of Skerry log with. Importing it takes 13 ms of CPU, and this process
starts with every run in a Pod of its own.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from typing import Any

from skerry_runner.messages import rfc3339
from skerry_runner.outputs import standard_outputs


class Events:
    """Writes lines; `bound` is part of each, and levels below `least` are left out."""

    def __init__(self) -> None:
        """Write everything from INFO on."""
        self._bound: dict[str, Any] = {}
        self._least = logging.INFO
        self._output = standard_outputs()["stderr"]

    def configure(self, level: str, **bound: Any) -> None:
        """Set the least level, by name (an unknown one means INFO), and what every line carries."""
        self._least = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
        self._bound = bound

    def info(self, event: str, **fields: Any) -> None:
        """Something happened."""
        self._write(logging.INFO, "info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Something is not as it should be, and is dealt with."""
        self._write(logging.WARNING, "warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """Something failed."""
        self._write(logging.ERROR, "error", event, fields)

    def exception(self, event: str, **fields: Any) -> None:
        """Something failed with the exception that is being handled."""
        error = sys.exception()
        if error is not None:
            fields["exception"] = "".join(traceback.format_exception(error)).rstrip()
        self._write(logging.ERROR, "error", event, fields)

    def _write(self, level: int, name: str, event: str, fields: dict[str, Any]) -> None:
        if level >= self._least:
            line = {**self._bound, **fields, "event": event, "level": name, "timestamp": rfc3339(time.time())}
            # Not by orjson: a name of a file that is not UTF-8 must not make a line fail.
            self._output.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")


log = Events()
