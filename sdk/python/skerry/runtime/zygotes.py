"""Zygote mode: import the program once, fork a process per attempt.

The runner speaks through the socket whose number is in SKERRY_ZYGOTE_FD: one JSON object per message. `fork` names slots
and carries, for each, the child's stdout and stderr as file descriptors. A forked child asks for its input at once and
waits there: it is the standby for the next attempt.

What a run leaves behind dies with it: the child leads a session and is a subreaper, so its process group is killed,
and what left the group is handed to the zygote by the kernel at the child's end and is killed there.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from skerry.apps import Workflows
from skerry.runtime import attempts, rehearsals, signals, tracing
from skerry.runtime.failures import complain, failure_of
from skerry.runtime.orphans import ChildProcesses, adopt_orphans

# Many times the longest message. Small, because a buffer from the heap's end is another page to copy after each fork.
_MESSAGE_BYTES = 4096
_MOST_FDS = 16

# Messages of the hot path are put together by hand: an encoder's objects are pages to copy after each fork.
_FORKED = b'{"type":"forked","slot":%d,"pid":%d}\n'
_EXITED = b'{"type":"exited","slot":%d,"pid":%d,"status":%d,"cpu_seconds":%.6f,"max_rss_bytes":%d}\n'
_RSS_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024


class Channel:
    """Messages to and from the runner: packets where the system has them, else lines."""

    def __init__(self, fd: int) -> None:
        """Use the inherited socket `fd`."""
        self.socket = socket.socket(fileno=fd)
        self._keeps_boundaries = self.socket.type == socket.SOCK_SEQPACKET
        self._rest = b""

    def send(self, message: dict[str, Any]) -> None:
        """Send one message."""
        self.send_line(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    def send_line(self, message: bytes) -> None:
        """Send one message that is JSON already, with its line end."""
        self.socket.sendall(message)

    def receive(self) -> tuple[list[dict[str, Any]], list[int]] | None:
        """The messages that have come, and the file descriptors that came with them; None when the runner is gone."""
        try:
            data, fds, _, _ = socket.recv_fds(self.socket, _MESSAGE_BYTES, _MOST_FDS)
        except ConnectionError:
            return None
        if not data:
            return None
        if self._keeps_boundaries:
            return [json.loads(data)], fds
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines if line.strip()], fds


def serve(load: Callable[[], Workflows], fd: int) -> int:
    """Import the program with `load`, then fork on demand until the runner hangs up; the exit status for the process."""
    channel = Channel(fd)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    started = time.perf_counter()
    try:
        app = load()
        prepare(app)
    except BaseException as error:
        failure = failure_of(error)
        message = {"type": failure["type"], "message": failure["details"], "stack_trace": failure["stack_trace"]}
        channel.send({"type": "failed", "error": message})
        complain(failure["stack_trace"])
        return 1
    zygote = Zygote(app, channel)
    channel.send({"type": "ready", "import_seconds": round(time.perf_counter() - started, 6)})
    zygote.run()
    return 0


def prepare(app: Workflows) -> None:
    """Do once what every child would do otherwise: compile signatures, import what runs need, settle the heap."""
    for task in app:
        task.signature  # noqa: B018 - reading it compiles it
    if any(task.is_async for task in app):
        import asyncio

        import skerry.runtime.gatherings  # noqa: F401

        asyncio.get_event_loop_policy()
    tracing.preload()
    rehearsals.rehearse(with_loop=any(task.is_async for task in app))
    gc.collect()
    # Frozen objects are left alone by the collector, so that their pages stay shared with the children.
    gc.freeze()


class Zygote:
    """The loop of a zygote: fork when told to, report and clean up after children that ended."""

    def __init__(self, app: Workflows, channel: Channel) -> None:
        """Get ready to fork."""
        self._app = app
        self._loop_ahead = 2 * sum(task.is_async for task in app) >= len(app.tasks)
        self._channel = channel
        self._slots: dict[int, int] = {}
        self._null = os.open(os.devnull, os.O_RDONLY)
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _ignored)
        os.environ["SKERRY_SDK_MODE"] = "run"
        adopt_orphans()
        self._children = ChildProcesses()
        # Helpers that the program started while it was imported are nobody's orphans.
        self._helpers = self._children.ids()

    def run(self) -> None:
        """Serve until the runner hangs up; then nothing is left running."""
        poll = select.poll()
        poll.register(self._channel.socket, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        connected = True
        while connected:
            try:
                for fd, _ in poll.poll():
                    if fd == self._wake_read:
                        self._reap()
                    else:
                        connected = self._obey()
            except ConnectionError:
                break
        for pid in self._slots:
            _kill_group(pid)
        self._children.kill_all_but(self._helpers)

    def _obey(self) -> bool:
        """Handle what the runner sent; False when it is gone."""
        received = self._channel.receive()
        if received is None:
            return False
        messages, fds = received
        for message in messages:
            if message.get("type") == "fork":
                slots = message["slots"]
                self._fork(slots, fds[: 2 * len(slots)])
                fds = fds[2 * len(slots) :]
        return True

    def _fork(self, slots: list[tuple[int, str]], fds: list[int]) -> None:
        """Fork a child for each slot, given as its number and the path of its socket."""
        sys.stdout.flush()
        sys.stderr.flush()
        pids = []
        # One after the other and nothing else between: each page touched between two forks is copied or mapped anew.
        for number, (_, path) in enumerate(slots):
            # Set here rather than in the child, where each page that is written to is a page to copy.
            os.environ["SKERRY_SDK_SOCKET_PATH"] = path
            pid = os.fork()
            if pid == 0:
                self._become_child(path, fds[2 * number : 2 * number + 2], fds)
            pids.append(pid)
        for fd in fds:
            os.close(fd)
        forked = {pid: slot for pid, (slot, _) in zip(pids, slots, strict=True)}
        # All are known before any is told of: whoever is told may have gone.
        self._slots.update(forked)
        for pid, slot in forked.items():
            self._channel.send_line(_FORKED % (slot, pid))

    def _become_child(self, path: str, outputs: list[int], received: list[int]) -> NoReturn:
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signals.restore(signal.SIGCHLD)
            signals.handle(signal.SIGINT, signal.default_int_handler)
            os.setsid()
            adopt_orphans()
            os.dup2(self._null, 0)
            for target, fd in enumerate(outputs, start=1):
                os.dup2(fd, target)
            for fd in (*received, self._null, self._wake_read, self._wake_write, self._channel.socket.fileno()):
                os.close(fd)
            if self._children.fd is not None:
                os.close(self._children.fd)
            status = attempts.serve(
                self._app,
                path,
                loop_ahead=self._loop_ahead,
                rehearse=lambda: rehearsals.rehearse_once(self._loop_ahead),
            )
        except BaseException as error:
            complain(failure_of(error)["stack_trace"])
        finally:
            attempts.flush_output()
            attempts.exit_now(status)
        raise AssertionError("unreachable")

    def _reap(self) -> None:
        os.read(self._wake_read, 4096)
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            slot = self._slots.pop(pid, None)
            if slot is None:
                self._helpers.discard(pid)
                continue
            # What the child left behind was handed over at its end: where the system lists it, none means nothing is left.
            if self._children.more_than(len(self._slots) + len(self._helpers)):
                _kill_group(pid)
                self._children.kill_all_but({*self._slots, *self._helpers})
            cpu_seconds, max_rss_bytes = usage.ru_utime + usage.ru_stime, usage.ru_maxrss * _RSS_UNIT_BYTES
            self._channel.send_line(_EXITED % (slot, pid, status, cpu_seconds, max_rss_bytes))


def _ignored(signum: int, frame: object) -> None:
    """SIGCHLD only has to wake the poll."""


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
