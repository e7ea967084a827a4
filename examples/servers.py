"""Start programs for as long as a `with` block lasts: a throw-away Skerry server, and whatever else one needs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parent.parent
READY_SECONDS = 30.0
STOP_SECONDS = 15.0


class ServerError(Exception):
    """The server ended or did not get ready in time; the message carries the end of its log."""


@dataclass(frozen=True)
class DevServer:
    """A running `skerry-api dev`: `url` of its REST interface, `log` with one JSON object per line."""

    url: str
    log: Path


@contextmanager
def dev_server(target: str, workflow: str, environment: Mapping[str, str] | None = None) -> Iterator[DevServer]:
    """Run one application on a server of its own: free port, data in a temporary folder, nothing left behind.

    Args:
        target: The application, as in `skerry dev TARGET`.
        workflow: The slug that its tasks are addressed by.
        environment: Variables for the server, and so for the tasks.

    Raises:
        ServerError: It was not ready after 30 seconds, or the application could not be imported.
    """
    folder = Path(tempfile.mkdtemp(prefix="skerry-"))
    server = DevServer(f"http://127.0.0.1:{free_port()}", folder / "server.log")
    # The server leaves when its end of this pipe closes, so that it cannot outlive us however we end.
    lifeline, our_end = os.pipe()
    arguments = ["dev", "--port", server.url.rpartition(":")[2], "--data", str(folder / "data"), "--no-watch"]
    arguments += ["--workflow", workflow, "--workdir", str(ROOT), "--lifeline-fd", str(lifeline), "--app", target]
    command = [str(Path(sys.executable).with_name("skerry-api")), *arguments]
    try:
        with running(command, environment, server.log, pass_fds=[lifeline]) as process:
            os.close(lifeline)
            _wait_until_ready(server, process, workflow)
            yield server
    finally:
        os.close(our_end)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
    pass_fds: Sequence[int] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends; what it prints goes to `log`."""
    with (log or Path(os.devnull)).open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=pass_fds,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(server: DevServer, process: subprocess.Popen[bytes], workflow: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    with httpx.Client(base_url=server.url, timeout=5) as api:
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise ServerError(f"the server ended with status {process.returncode}:\n{_end_of(server.log)}")
            if _has_tasks(api, workflow):
                return
            time.sleep(0.05)
    raise ServerError(f"the server was not ready after {READY_SECONDS:.0f} s:\n{_end_of(server.log)}")


def _has_tasks(api: httpx.Client, workflow: str) -> bool:
    try:
        if api.get("/readyz").status_code != httpx.codes.OK:
            return False
        for item in api.get("/v1/workflowversions").json():
            if item["workflowVersion"]["status"] == "registration_failed":
                raise ServerError(f"the application could not be imported:\n{item['workflowVersion']['error']}")
        return bool(api.get("/v1/tasks", params={"workflowSlug": workflow}).json())
    except httpx.TransportError:
        return False


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
