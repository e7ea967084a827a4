"""`python -m skerry_runner`."""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import NoReturn

# What others load for nothing here is a part of every cold start: importlib.metadata, with which websockets would ask for its
# version if it were unreleased (15 ms); and ssl (7 ms), which asyncio can do without and a Pod for one run does not use unless
# its control plane is spoken to by TLS.
_unused = {"importlib.metadata": ModuleType("importlib.metadata")}
if "SKERRY_PINNED_ATTEMPT" in os.environ and not any("https://" in argument for argument in sys.argv):
    _unused["ssl"] = None  # type: ignore[assignment]
sys.modules.update(_unused)
import asyncio  # noqa: E402, F401

import websockets.version  # noqa: E402, F401

for _name in _unused:
    del sys.modules[_name]

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
