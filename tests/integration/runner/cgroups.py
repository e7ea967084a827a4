"""A memory cgroup of the test's own, v2 or v1: the kernel, not the runner, then kills for memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_ROOT = Path("/sys/fs/cgroup")


@contextmanager
def memory_cgroup(limit_bytes: int) -> Iterator[None]:
    """Processes started inside belong to a cgroup that may use `limit_bytes`."""
    present, limit = _present()
    group = present / f"skerry-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / limit).write_text(str(limit_bytes))
        (group / "cgroup.procs").write_text(str(os.getpid()))
    except OSError as error:
        pytest.skip(f"cgroups cannot be made here: {error}")
    try:
        yield
    finally:
        (present / "cgroup.procs").write_text(str(os.getpid()))


def remove_memory_cgroup() -> None:
    """Remove the cgroup; everything in it has ended."""
    present, _ = _present()
    (present / f"skerry-test-{os.getpid()}").rmdir()


def _present() -> tuple[Path, str]:
    """The cgroup this process is in, and the name of its limit."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return _ROOT / "memory" / path.lstrip("/"), "memory.limit_in_bytes"
        if controllers == "" and (_ROOT / "cgroup.controllers").exists():
            return _ROOT / path.lstrip("/"), "memory.max"
    pytest.skip("there is no memory cgroup here")
