"""The server `skerry dev` runs as its child: started in a session of its own, and never outliving this process.

Two things stop it. In good order, SIGTERM does. If this process is killed, the kernel closes its end of a pipe (the
lifeline), the server reads end-of-file and stops by itself.
"""

import errno
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from skerry.cli import problems

_PROBE_SECONDS = 0.1
_STOP_SECONDS = 20.0
_LIFELINE_SECONDS = 5.0
_TAIL_LINES = 40
_ALL_INTERFACES = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - compared with, not bound


@dataclass(frozen=True)
class Launch:
    """What to run and how; the options of `skerry dev`.

    Attributes:
        app: The target of a Python application, or None when `command` is given.
        command: The program that holds the tasks, for other languages.
        host: The address to listen on.
        port: The port to listen on.
        data: The folder for the database.
        workflow: The workflow's name, or None for the server's choice.
        watch: Whether changed files are registered again.
        capacity: The most attempts at once, or None for the server's choice.
        isolation: `process` or `worker`, or None for the server's choice.
    """

    app: str | None
    command: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8120
    data: Path = Path(".skerry")
    workflow: str | None = None
    watch: bool = True
    capacity: int | None = None
    isolation: str | None = None

    @property
    def url(self) -> str:
        """Return the address at which this machine reaches the server."""
        host = _ALL_INTERFACES.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def arguments(self, lifeline: int) -> list[str]:
        """Return the command line of the server.

        Args:
            lifeline: The descriptor whose end-of-file means that this process is gone.
        """
        words = [sys.executable, "-m", "skerry_api", "dev", "--host", self.host, "--port", str(self.port)]
        words += ["--data", str(self.data), "--lifeline-fd", str(lifeline)]
        for name, value in (("workflow", self.workflow), ("isolation", self.isolation), ("capacity", self.capacity)):
            if value is not None:
                words += [f"--{name}", str(value)]
        words += [] if self.watch else ["--no-watch"]
        return words + (["--", *self.command] if self.command else ["--app", str(self.app)])


class DevServer:
    """The child process, for the length of a `with` block.

    Args:
        launch: What to run.
        on_line: Called, from another thread, with each line the server writes: decoded if it is JSON.
    """

    def __init__(self, launch: Launch, on_line: Callable[[dict[str, Any] | str], None]) -> None:
        self.launch = launch
        self.fatal: dict[str, Any] | None = None
        self._on_line = on_line
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)

    def __enter__(self) -> Self:
        theirs, self._lifeline = os.pipe()
        try:
            self.process = subprocess.Popen(
                self.launch.arguments(theirs),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs,),
                # Ctrl-C must reach only us: the server is stopped in order, not by surprise.
                start_new_session=True,
            )
        finally:
            os.close(theirs)
        self._reader = threading.Thread(target=self._read, name="server-output", daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def wait_ready(self, timeout: float) -> None:
        """Wait until the server answers requests.

        Args:
            timeout: Seconds to wait.

        Raises:
            Problem: It ended, or was not ready in time.
        """
        deadline = time.monotonic() + timeout
        while not self._is_ready():
            self.check()
            if time.monotonic() > deadline:
                raise problems.Problem(f"The server was not ready within {timeout:.0f} s.", self._last_words())
            time.sleep(_PROBE_SECONDS)
        self.check()

    def check(self) -> None:
        """Make sure that the server is still running.

        Raises:
            Problem: It has ended; the message says why if the server said so.
        """
        if self.process.poll() is None:
            return
        self._reader.join(timeout=1)
        if self.fatal is not None:
            raise explained(self.fatal, self.launch)
        raise problems.Problem(f"The server ended with status {self.process.returncode}.", self._last_words())

    def stop(self, patience: float = _STOP_SECONDS) -> bool:
        """Stop the server and everything it started; return whether it stopped in good order.

        Args:
            patience: Seconds it is given to finish before it is stopped the hard way.
        """
        orderly = self._stopped_by(lambda: self.process.send_signal(signal.SIGTERM), patience)
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        if not orderly and not self._stopped_by(lambda: None, _LIFELINE_SECONDS):
            self._stopped_by(self._kill_group, _LIFELINE_SECONDS)
        self._reader.join(timeout=1)
        return orderly

    def _stopped_by(self, action: Callable[[], None], seconds: float) -> bool:
        if self.process.poll() is not None:
            return True
        action()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        return self.process.returncode is not None

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def _is_ready(self) -> bool:
        host = _ALL_INTERFACES.get(self.launch.host, self.launch.host)
        connection = http.client.HTTPConnection(host, self.launch.port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for raw in stream:
                text = raw.decode("utf-8", "replace").rstrip()
                self._tail.append(text)
                line = decoded(text)
                if isinstance(line, dict) and line.get("event") == "fatal":
                    self.fatal = line
                self._on_line(line)

    def _last_words(self) -> str | None:
        return "It said:\n" + "\n".join(f"  {line}" for line in self._tail) if self._tail else None


def decoded(text: str) -> dict[str, Any] | str:
    """Return a line of the server's output as an object if it is one, else as it came."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, dict) else text


def explained(fatal: dict[str, Any], launch: Launch) -> problems.Problem:
    """Return what the server's last line means for the user."""
    message = str(fatal.get("message") or "The server could not start.")
    match fatal.get("code"):
        case "port_in_use":
            return port_in_use(launch)
        case "data_in_use":
            return problems.Problem(
                f"{launch.data} is in use by another `skerry dev`.",
                "Stop that one, or keep data elsewhere: --data FOLDER",
            )
    return problems.Problem(message)


def port_in_use(launch: Launch) -> problems.Problem:
    """Return the problem that something else listens on the port."""
    return problems.Problem(
        f"Port {launch.port} on {launch.host} is in use.",
        f"Stop what is using it, or take another port: skerry dev --port {launch.port + 1}",
    )


def check_port(launch: Launch) -> None:
    """Make sure that nothing listens on the port yet.

    Without this, another server already there would answer for ours while ours is failing.

    Raises:
        Problem: The port is in use, or cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in launch.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((launch.host, launch.port))
            probe.listen(1)
        except PermissionError:
            raise problems.Problem(f"Port {launch.port} is reserved.", "Take one above 1023 with --port.") from None
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise port_in_use(launch) from None
            raise problems.Problem(f"Cannot listen on {launch.host}:{launch.port}: {error.strerror}.") from None
