"""However a server ends, nothing it started outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from examples.servers import free_port
from tests.integration.faults.clusters import HERE, eventually


class Dev:
    """`skerry-api dev` with its own PostgreSQL, and a pipe it lives by."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        read_end, self.lifeline = os.pipe()
        self._output, output = os.pipe()
        command = [
            str(Path(sys.executable).with_name("skerry-api")),
            "dev",
            "--port",
            str(self.port),
            "--app",
            "tasks:app",
        ]
        command += ["--data", str(folder), "--workdir", str(HERE), "--no-watch", "--lifeline-fd", str(read_end)]
        environment = {**os.environ, "MARKS": os.devnull}
        self.popen = subprocess.Popen(
            command, env=environment, pass_fds=[read_end], stdout=output, stderr=output, start_new_session=True
        )
        os.close(read_end)
        os.close(output)

    def api(self, path: str) -> object:
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.port}{path}")
        except httpx.TransportError:
            return None
        return answer.json() if answer.status_code == 200 else None

    def close_pipes(self) -> None:
        for name in ("lifeline", "_output"):
            if getattr(self, name) >= 0:
                os.close(getattr(self, name))
                setattr(self, name, -1)

    def left_behind(self) -> list[str]:
        """Command lines of processes that have to do with this server's folder."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (OSError, UnicodeDecodeError):
                continue  # Not a process, or gone meanwhile.
            if str(self.folder) in line or f":{self.port} " in line:
                found.append(line)
        return found


@pytest.fixture
def dev() -> Iterator[Dev]:
    with tempfile.TemporaryDirectory(prefix="skerry-", ignore_cleanup_errors=True) as folder:
        dev = Dev(Path(folder))
        yield dev
        dev.close_pipes()
        dev.popen.kill()
        dev.popen.wait()


@pytest.mark.parametrize("busy", [False, True])
@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "the reader dies"])
def test_nothing_is_left_behind(dev: Dev, how: str, busy: bool) -> None:
    eventually(lambda: dev.api("/v1/tasks"), 40)
    assert len(dev.left_behind()) >= 3
    if busy:
        trigger = {"task": "slow", "input": [60]}
        httpx.post(f"http://127.0.0.1:{dev.port}/v1/task-runs", json=trigger).raise_for_status()
        time.sleep(0.3)
    if how == "the reader dies":
        dev.close_pipes()
    else:
        dev.popen.send_signal(signal.Signals[how])
    dev.popen.wait(20)
    eventually(lambda: not dev.left_behind(), 10)


def test_a_server_left_while_its_database_starts_leaves_nothing(dev: Dev) -> None:
    eventually(lambda: (dev.folder / "postgres").exists(), 20)
    dev.close_pipes()
    dev.popen.wait(20)
    eventually(lambda: not dev.left_behind(), 10)
