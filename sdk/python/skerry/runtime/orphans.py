"""Processes whose parent is gone: on Linux they can be adopted and ended; elsewhere only process groups are."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Collection

_PR_SET_CHILD_SUBREAPER = 36
_LONGEST_DEATH_SECONDS = 1.0


def _prctl() -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    function: Callable[..., int] = ctypes.CDLL(None).prctl
    return function


_set = _prctl()


def adopt_orphans() -> None:
    """Make this process the parent of orphans among its descendants."""
    if _set is not None:
        _set(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children_of_this_process() -> set[int]:
    """Ids of all direct children; empty where the system does not list them."""
    pid = os.getpid()
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb", buffering=0) as file:
            return {int(child) for child in file.read().split()}
    except OSError:
        return set()


def kill_orphans(wanted: Collection[int]) -> None:
    """Kill and reap every child that is not `wanted`, and what they hand over in turn, within a second."""
    end = time.monotonic() + _LONGEST_DEATH_SECONDS
    while orphans := children_of_this_process().difference(wanted):
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in orphans:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        if time.monotonic() > end:
            return
        if children_of_this_process().difference(wanted):
            time.sleep(0.0005)
