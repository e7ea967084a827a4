"""Child processes of a benchmark: started with a log, watched with deadlines, stopped by process id."""

import contextlib
import json
import os
import select
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

STOP_SECONDS = 10.0
LOG_TAIL = 2000


class BenchmarkError(Exception):
    """A system could not be installed, started or measured.

    Args:
        message: One line, for below the table.
        detail: The end of a log or a traceback.
    """

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class Child:
    """One process of ours and whatever it starts.

    Args:
        name: For messages and the log's file name.
        command: Program and arguments.
        log: File that receives standard error (and standard output unless `piped`).
        environment: Added to ours.
        folder: Working folder; default ours.
        piped: Whether standard input and output are pipes to us.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log: Path,
        environment: dict[str, str] | None = None,
        folder: Path | None = None,
        piped: bool = False,
    ) -> None:
        self.name = name
        self._log = log
        with log.open("wb") as sink:
            try:
                self.process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                    stdout=subprocess.PIPE if piped else sink,
                    stderr=sink,
                    env={**os.environ, **(environment or {})},
                    cwd=folder,
                    start_new_session=True,
                )
            except OSError as problem:
                raise BenchmarkError(f"{name} could not be started: {problem}") from problem

    @property
    def pid(self) -> int:
        """The process id of the root process."""
        return self.process.pid

    def log_text(self) -> str:
        """What it has written to its log so far."""
        return self._log.read_text(errors="replace")

    def failure(self, what: str) -> BenchmarkError:
        """`what`, with the last line of the log, and its end as detail."""
        tail = self.log_text()[-LOG_TAIL:].strip()
        last = f" ({tail.splitlines()[-1].strip()})" if tail else ""
        return BenchmarkError(f"{self.name}: {what}{last}", tail)

    def wait_until(self, ready: Callable[[], bool], seconds: float, what: str) -> None:
        """Poll `ready` until it is true.

        Raises:
            BenchmarkError: The process ended first, or `seconds` passed.
        """
        stop_at = time.monotonic() + seconds
        while not ready():
            if (status := self.process.poll()) is not None:
                raise self.failure(f"ended with status {status} before {what}")
            if time.monotonic() > stop_at:
                raise self.failure(f"no {what} within {seconds:.0f} s")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the process, then by force what is left of everything it had started."""
        family = []
        with contextlib.suppress(psutil.NoSuchProcess):
            family = psutil.Process(self.pid).children(recursive=True)
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_SECONDS)
        if self.process.stdout is not None:
            self.process.stdout.close()
        kill(family)


def kill(family: list[psutil.Process], grace_seconds: float = 1.0) -> None:
    """Kill those of these processes that still run after some time to end by themselves."""
    _, alive = psutil.wait_procs(family, timeout=grace_seconds)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=STOP_SECONDS)


class DriverProcess(Child):
    """A driver (see `drivers`) in the virtual environment of its system."""

    def __init__(self, name: str, python: Path, module: str, settings: dict[str, Any], log: Path, **more: Any) -> None:
        command: list[str | Path] = [python, "-m", module, json.dumps(settings)]
        super().__init__(name, command, log, piped=True, **more)
        self._unread = b""

    def ready(self, seconds: float = 60.0) -> None:
        """Wait until the driver has connected to its system."""
        self._receive(seconds, "connection to its system")

    def measure(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Have the driver carry out one request.

        Raises:
            BenchmarkError: It failed, or gave no answer within `seconds`.
        """
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError as problem:
            raise self.failure("the driver has ended") from problem
        answer = self._receive(seconds, f"answer to {request['measure']!r}")
        if "error" in answer:
            raise BenchmarkError(answer["error"].strip().splitlines()[-1], answer["error"])
        return answer

    def _receive(self, seconds: float, what: str) -> dict[str, Any]:
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        stop_at = time.monotonic() + seconds
        while b"\n" not in self._unread:
            left = stop_at - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise self.failure(f"no {what} within {seconds:.0f} s")
            received = os.read(descriptor, 1 << 16)
            if not received:
                self.process.wait(STOP_SECONDS)
                raise self.failure(f"the driver ended with status {self.process.returncode} before {what}")
            self._unread += received
        line, _, self._unread = self._unread.partition(b"\n")
        parsed: dict[str, Any] = json.loads(line)
        return parsed
