"""A zygote process and the runner's end of its socket."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any


class ZygoteProcess:
    """`python -m skerry.runtime TARGET` in zygote mode; forks on request and keeps what children print."""

    def __init__(self, target: str, folder: Path, kind: int = socket.SOCK_SEQPACKET) -> None:
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, kind)
        self.socket.settimeout(10)
        self._buffer = b""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "skerry.runtime", target],
            cwd=folder,
            env={**os.environ, "SKERRY_SDK_MODE": "zygote", "SKERRY_ZYGOTE_FD": str(theirs.fileno())},
            pass_fds=[theirs.fileno()],
            stderr=subprocess.PIPE,
        )
        theirs.close()

    def __enter__(self) -> ZygoteProcess:
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()
        assert self.process.stderr is not None
        self.process.stderr.close()
        self.process.wait(10)

    def message(self) -> dict[str, Any]:
        while b"\n" not in self._buffer:
            data = self.socket.recv(1 << 20)
            assert data, "the zygote hung up"
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found

    def order(self, slots: list[list[Any]], outputs: list[int]) -> None:
        """Have a child forked for each slot, given as its number and the path of its socket."""
        message = json.dumps({"type": "fork", "slots": slots}).encode() + b"\n"
        socket.send_fds(self.socket, [message], outputs)

    def fork(self, path: str, slot: int = 0) -> tuple[int, int, int]:
        """Fork a child for the socket `path`: its pid, and the read ends of its stdout and stderr."""
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        self.order([[slot, path]], [out_write, err_write])
        os.close(out_write)
        os.close(err_write)
        forked = self.message()
        assert forked["type"] == "forked", forked
        assert forked["slot"] == slot
        return forked["pid"], out_read, err_read


def read_all(fd: int) -> str:
    with open(fd, "rb") as file:
        return file.read().decode()
