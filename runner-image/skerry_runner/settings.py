"""What a runner is told when it starts, from its arguments and environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypedDict

Isolation = Literal["process", "worker", "container"]
Echo = Literal["json", "text", "none"]

# Never handed to user code: with the token it could speak for other attempts of this runner.
_PRIVATE = ("SKERRY_RUNNER_TOKEN", "SKERRY_RUNNER_TOKEN_FILE", "SKERRY_ZYGOTE_FD")


class Pod(TypedDict):
    """The Pod this runner lives in."""

    name: str
    uid: str
    node: str


@dataclass(frozen=True, slots=True)
class Settings:
    """A runner's settings; durations in seconds.

    Attributes:
        url: The control plane, `http(s)://host:port`.
        app: Target of the Python SDK (`module:attribute` or a file); None when `command` is given.
        command: A program that speaks the socket protocol, started once per attempt.
        preload: Import the application once and fork (`app`), or keep a started process ahead (`command`).
        sockets: An existing folder for the slots' sockets, kept by whoever starts the runner so that it can be removed even
            after a SIGKILL; None for one of the runner's own. Its path should be short: a socket's may have 107 bytes.
        lifeline_fd: A pipe whose end means that nobody needs this runner any more.
        grace_seconds: Between SIGTERM and SIGKILL.
        linger_seconds: What a process may take to exit by itself after its callback.
        start_seconds: What importing the application may take.
    """

    url: str
    runner: str
    pool: str
    version: str
    isolation: Isolation = "process"
    capacity: int = 1
    workdir: Path = field(default_factory=Path.cwd)
    preload: bool = True
    enforce_memory: bool = False
    app: str | None = None
    command: tuple[str, ...] = ()
    sockets: Path | None = None
    lifeline_fd: int | None = None
    token: str = ""
    token_file: Path | None = None
    pinned_attempt: str | None = None
    pod: Pod | None = None
    echo: Echo = "json"
    grace_seconds: float = 5.0
    linger_seconds: float = 2.0
    start_seconds: float = 300.0
    python: str = sys.executable

    @property
    def forks(self) -> bool:
        """Whether user processes are forked from one that has imported the application already.

        The one run of a Pod that was made for it is carried out by the process that imports the application for it.
        """
        return self.app is not None and self.preload and self.isolation != "worker" and self.pinned_attempt is None

    @property
    def awaits_work(self) -> bool:
        """Whether this is a Pod that was started ahead, for whichever attempt comes."""
        return self.pod is not None and self.pinned_attempt is None

    @property
    def program(self) -> tuple[str, ...]:
        """The command line of a user process."""
        return self.command if self.app is None else (self.python, "-m", "skerry.runtime", self.app)

    def current_token(self) -> str:
        """The bearer token; a projected token file is read anew, because the kubelet rotates it."""
        return self.token_file.read_text().strip() if self.token_file is not None else self.token


def pod_from(environment: Mapping[str, str]) -> Pod | None:
    """The Pod named by the downward API, or None outside Kubernetes."""
    name = environment.get("SKERRY_POD_NAME")
    if not name:
        return None
    return Pod(name=name, uid=environment.get("SKERRY_POD_UID", ""), node=environment.get("SKERRY_NODE_NAME", ""))


def user_environment(mode: str, socket_path: str) -> dict[str, str]:
    """The environment of a user process: ours without secrets, plus what both families of SDKs look for.

    Args:
        mode: `run`, `register`, `worker` or `zygote`.
        socket_path: The slot's Unix socket; empty for a zygote, which has none of its own.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _PRIVATE}
    environment["SKERRY_SDK_MODE"] = mode
    environment["SKERRY_SDK_SOCKET_PATH"] = socket_path
    environment["RENDER_SDK_MODE"] = mode if mode == "register" else "run"
    environment["RENDER_SDK_SOCKET_PATH"] = socket_path
    return environment
