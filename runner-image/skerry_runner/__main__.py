"""`python -m skerry_runner`."""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import NoReturn

# What others load for nothing here is a part of every cold start: rich, where it is installed, with which structlog colours
# tracebacks (150 ms), and importlib.metadata, with which websockets would ask for its version if it were unreleased (15 ms).
sys.modules["rich"] = None  # type: ignore[assignment]
import structlog  # noqa: E402, F401

del sys.modules["rich"]
sys.modules["importlib.metadata"] = ModuleType("importlib.metadata")
import websockets.version  # noqa: E402, F401

del sys.modules["importlib.metadata"]

from skerry_runner.commands import main  # noqa: E402


def run() -> NoReturn:
    """Be a runner until it leaves, and exit with its status."""
    status = main()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    # Nothing is left to be done: without the interpreter's farewell the Pod is over 10 ms earlier.
    os._exit(status)


if __name__ == "__main__":
    run()
