"""The parts of the single node of tests/cluster, to stop and start them: they are processes of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

single_node = pytest.mark.skipif(
    os.environ.get("CLUSTER") != "modules", reason="stops parts of the cluster: only done to the one of tests/cluster"
)
_LOGS = Path(os.environ.get("CLUSTER_DIR", "~/.cache/skerry-cluster")).expanduser() / "run" / "log"


@contextmanager
def frozen(part: str) -> Iterator[None]:
    """Have a part answer nobody until the block ends."""
    process = _process(part)
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


@contextmanager
def stopped(part: str) -> Iterator[None]:
    """End a part; start it again, as it was started, when the block ends."""
    process = _process(part)
    proc = Path("/proc") / str(process)
    command, folder = (proc / "cmdline").read_bytes().split(b"\0")[:-1], (proc / "cwd").readlink()
    os.kill(process, signal.SIGTERM)
    while proc.exists() and (proc / "cmdline").read_bytes():
        time.sleep(0.05)
    try:
        yield
    finally:
        script = 'cd "$1" && shift && log=$1 && shift && { setsid "$@" >> "$log.log" 2>&1 < /dev/null & echo $! > "$log.pid"; }'
        subprocess.run(["/bin/sh", "-c", script, "start", folder, _LOGS / part, *command], check=True)


def _process(part: str) -> int:
    return int((_LOGS / f"{part}.pid").read_text())
