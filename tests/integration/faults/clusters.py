"""Several control-plane processes on one database, one of them with runners, to be hit where it hurts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx

from examples.servers import free_port

HERE = Path(__file__).parent
READY_SECONDS = 30.0
Value = TypeVar("Value")


def eventually(probe: Callable[[], Value | None], seconds: float = 20.0) -> Value:
    """The first true answer of `probe`."""
    until = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        assert time.monotonic() < until, f"not within {seconds} s: {probe}"
        time.sleep(0.02)


class Process:
    """One control-plane process."""

    def __init__(self, arguments: list[str], log: Path, environment: dict[str, str]) -> None:
        self.port = free_port()
        self.log = log
        self._command = [str(Path(sys.executable).with_name("skerry-api")), *arguments[:1], "--port", str(self.port)]
        self._command += arguments[1:]
        self._environment = environment
        self.api = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)
        self.launch()

    def start(self) -> None:
        """Launch it again, and wait until it serves."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                self._command, env={**os.environ, **self._environment}, stdout=log, stderr=log, start_new_session=True
            )

    def wait_until_ready(self) -> None:
        eventually(self._is_ready, READY_SECONDS)

    def _is_ready(self) -> bool:
        assert self.popen.poll() is None, f"ended: {self.log.read_text()[-3000:]}"
        try:
            return self.api.get("/readyz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait(10)

    def stop(self) -> None:
        self.popen.terminate()
        self.popen.wait(20)
        self.api.close()

    def trigger(self, task: str, *arguments: Any, **options: Any) -> str:
        body = {"task": f"faults/{task}", "input": list(arguments), **options}
        answer = self.api.post("/v1/task-runs", json=body)
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        run_id: str = answer.json()["id"]
        return run_id

    def run(self, run_id: str, wait: float = 0) -> dict[str, Any]:
        answer = self.api.get(f"/v1/task-runs/{run_id}", params={"wait": wait})
        assert answer.status_code == httpx.codes.OK, answer.text
        run: dict[str, Any] = answer.json()
        return run

    def result(self, run_id: str, seconds: float = 40.0) -> dict[str, Any]:
        """The run, once it is over."""

        def over() -> dict[str, Any] | None:
            run = self.run(run_id, wait=5)
            return run if run.get("completedAt") else None

        return eventually(over, seconds)

    def reach(self, run_id: str, status: str) -> None:
        eventually(lambda: self.run(run_id)["status"] == status)


class Cluster:
    """`worker` has the runners; `front` has none."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.marks = folder / "marks"
        self.marks.touch()
        environment = {
            "MARKS": str(self.marks),
            "SKERRY_LEASE_SECONDS": "3",
            "SKERRY_CANCEL_GRACE_SECONDS": "1",
            "PYTHONPATH": str(HERE),
        }
        dev = ["dev", "--database-url", database_url, "--workflow", "faults", "--workdir", str(HERE), "--no-watch"]
        self.worker = Process([*dev, "--app", "tasks:app"], folder / "worker.log", environment)
        serve = ["serve", "--database-url", database_url, "--no-require-keys"]
        self.front = Process(serve, folder / "front.log", environment)
        self.worker.wait_until_ready()
        self.front.wait_until_ready()
        eventually(lambda: self.worker.api.get("/v1/tasks").json(), 30)

    def close(self) -> None:
        self.front.stop()
        self.worker.stop()

    def runner_pid(self) -> int:
        """The process id of the worker's runner."""
        children = f"/proc/{self.worker.popen.pid}/task/{self.worker.popen.pid}/children"
        for pid in Path(children).read_text().split():
            if b"skerry_runner" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return int(pid)
        raise AssertionError("the worker has no runner")

    def runner_sockets(self) -> Path:
        """The folder with the sockets of the worker's runner."""
        arguments = Path(f"/proc/{self.runner_pid()}/cmdline").read_text().split("\0")
        return Path(arguments[arguments.index("--sockets") + 1])

    def signal_runner(self, number: signal.Signals) -> None:
        os.kill(self.runner_pid(), number)

    def marked(self, line: str) -> bool:
        return line in self.marks.read_text().splitlines()
