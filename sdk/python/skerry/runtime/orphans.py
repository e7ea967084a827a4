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
_LIST_BYTES = 65_536


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


class ChildProcesses:
    """The direct children of this process, adopted ones included, as the system lists them.

    Attributes:
        fd: the open list, None where the system has none.
    """

    def __init__(self) -> None:
        """Open the list once: asking again costs one system call."""
        pid = os.getpid()
        try:
            self.fd: int | None = os.open(f"/proc/{pid}/task/{pid}/children", os.O_RDONLY)
        except OSError:
            self.fd = None

    def ids(self) -> set[int]:
        """Their process ids; empty where the system does not list them."""
        return {int(child) for child in self._listed()}

    def more_than(self, count: int) -> bool:
        """Whether there are more than `count`; True where nobody can tell."""
        return self.fd is None or len(self._listed()) > count

    def kill_all_but(self, wanted: Collection[int]) -> None:
        """Kill and reap every child that is not `wanted`, and what they hand over in turn, within a second."""
        end = time.monotonic() + _LONGEST_DEATH_SECONDS
        while orphans := self.ids().difference(wanted):
            for pid in orphans:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for pid in orphans:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            if time.monotonic() > end:
                return
            if self.ids().difference(wanted):
                time.sleep(0.0005)

    def _listed(self) -> list[bytes]:
        if self.fd is None:
            return []
        listed = os.pread(self.fd, _LIST_BYTES, 0)
        return listed.split()
