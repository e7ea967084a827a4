"""The zygote: one process that has imported the application and forks a child per attempt."""

from __future__ import annotations

import array
import asyncio
import os
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any

import orjson

from skerry_runner.events import log
from skerry_runner.outcomes import Raised, describe_status
from skerry_runner.processes import Background, Nursery, watch_exit
from skerry_runner.settings import Settings, user_environment
from skerry_runner.slots import Exit, Slot

_MESSAGE_BYTES = 256 * 1024
# Each brings two file descriptors; the zygote takes sixteen with a message.
_FORKS_AT_ONCE = 8
# After so many deaths in a row without a single fork, waiting attempts fail instead of waiting longer.
_MOST_RESTARTS = 5
_FIRST_BACKOFF_SECONDS = 0.1
_LONGEST_BACKOFF_SECONDS = 5.0


class Zygote:
    """Starts user processes by fork, and the process they are forked from.

    An application that cannot be imported is reported once, to `broken`; the next `start` tries again.
    """

    def __init__(
        self, settings: Settings, nursery: Nursery, broken: Callable[[Raised], None], background: Background
    ) -> None:
        """Nothing runs before `launch` or the first `start`."""
        self._settings = settings
        self._nursery = nursery
        self._broken = broken
        self._pid: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._stream = False
        self._unparsed = b""
        self._ready = False
        self._failed = False
        self._deaths = 0
        self._waiting: dict[int, Slot] = {}
        self._slots: dict[int, Slot] = {}
        self._unsent: deque[Slot] = deque()
        self._deadline: asyncio.TimerHandle | None = None
        self._closing = False
        self._background = background

    def start(self, slot: Slot) -> None:
        """Fork a process into `slot`, as soon as there is something to fork from."""
        if self._ready:
            self._fork(slot)
            return
        self._waiting[slot.index] = slot
        if self._process is None and self._deadline is None:
            self.launch()

    def launch(self) -> None:
        """Start the zygote."""
        self._deadline = None
        if self._closing:
            return
        kind = getattr(socket, "SOCK_SEQPACKET", socket.SOCK_STREAM)
        try:
            ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
        except OSError:  # macOS knows the name but not the kind
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._stream = ours.type != kind or kind == socket.SOCK_STREAM
        environment = user_environment("zygote", "") | {"SKERRY_ZYGOTE_FD": str(theirs.fileno())}
        ours.setblocking(False)
        with theirs:
            self._process = subprocess.Popen(
                self._settings.program,
                cwd=self._settings.workdir,
                env=environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._pid = self._process.pid
        self._nursery.know(self._pid)
        self._failed = False
        self._unparsed = b""
        self._socket = ours
        loop = asyncio.get_running_loop()
        loop.add_reader(ours, self._receive)
        watch_exit(self._pid, self._exited)
        self._deadline = loop.call_later(self._settings.start_seconds, self._too_slow)

    def close(self) -> None:
        """End the zygote and, by its own rule, everything that was forked from it."""
        self._closing = True
        if not self._ready:
            self.kill()  # an import that is under way does not listen
        self._hang_up()
        self._cancel_deadline()
        if self._process is None:
            self._turn_away()

    def kill(self) -> None:
        """End a zygote that does not go by itself."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)

    # Messages.

    def _fork(self, slot: Slot) -> None:
        self._slots[slot.index] = slot
        self._unsent.append(slot)
        if len(self._unsent) == 1:
            # At the end of this turn: the zygote forks cheaper when it forks several at once.
            asyncio.get_running_loop().call_soon(self._send_forks)

    def _send_forks(self) -> None:
        while self._unsent and self._socket is not None:
            slots = list(islice(self._unsent, _FORKS_AT_ONCE))
            if not self._send(slots):
                asyncio.get_running_loop().add_writer(self._socket, self._send_rest)
                return
            for _ in slots:
                self._unsent.popleft()

    def _send_rest(self) -> None:
        assert self._socket is not None
        asyncio.get_running_loop().remove_writer(self._socket)
        self._send_forks()

    def _send(self, slots: list[Slot]) -> bool:
        """Send one message; False when the socket is full."""
        assert self._socket is not None
        message = orjson.dumps({"type": "fork", "slots": [[slot.index, slot.path] for slot in slots]})
        descriptors = array.array("i", [fd for slot in slots for fd in (slot.stdout.write_fd, slot.stderr.write_fd)])
        data = message + b"\n" if self._stream else message
        try:
            self._socket.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
        except BlockingIOError:
            return False
        except (BrokenPipeError, ConnectionResetError):
            return True  # it is dead: its exit, on the way, settles every slot
        return True

    def _receive(self) -> None:
        while self._socket is not None:
            try:
                data = self._socket.recv(_MESSAGE_BYTES)
            except BlockingIOError:
                return
            except ConnectionResetError:
                data = b""
            if not data:
                self._hang_up()
                return
            if not self._stream:
                self._handle(orjson.loads(data))
                continue
            *lines, self._unparsed = (self._unparsed + data).split(b"\n")
            for line in lines:
                self._handle(orjson.loads(line))

    def _handle(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "forked":
            slot = self._slots.get(message["slot"])
            if slot is not None:
                slot.started(message["pid"])
        elif kind == "exited":
            slot = self._slots.pop(message["slot"], None)
            if slot is not None:
                slot.ended(Exit(message["status"], message.get("cpu_seconds", 0.0), message.get("max_rss_bytes", 0)))
        elif kind == "ready":
            self._on_ready(message.get("import_seconds", 0.0))
        elif kind == "failed":
            self._on_failed(message["error"])
        else:
            log.warning("zygote_message_unknown", type=kind)

    def _on_ready(self, import_seconds: float) -> None:
        log.info("zygote_ready", import_seconds=import_seconds)
        self._cancel_deadline()
        self._ready = True
        self._deaths = 0
        waiting, self._waiting = self._waiting, {}
        for slot in waiting.values():
            self._fork(slot)

    def _on_failed(self, error: dict[str, Any]) -> None:
        self._failed = True
        self._cancel_deadline()
        self._give_up(
            Raised(
                message=f"the application cannot be imported: {error.get('message') or error.get('type')}",
                type=str(error.get("type") or "ImportError"),
                stack_trace=error.get("stack_trace"),
            )
        )

    # Deaths.

    def _too_slow(self) -> None:
        self._deadline = None
        seconds = self._settings.start_seconds
        log.error("zygote_too_slow", seconds=seconds)
        self._failed = True
        self.kill()
        self._give_up(Raised(f"importing the application took longer than {seconds:g} s", "ImportTimeout"))

    def _exited(self) -> None:
        process = self._process
        assert process is not None
        self._receive()
        self._hang_up()
        _, status, _ = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self._nursery.unknow(process.pid)
        self._background(self._clean_up(status))

    async def _clean_up(self, status: int) -> None:
        """Its children are gone or about to be; only then may another zygote begin."""
        self._cancel_deadline()
        slots, self._slots = list(self._slots.values()), {}
        self._unsent.clear()
        for slot in slots:
            slot.kill(signal.SIGKILL)
        await self._nursery.bury_orphans()
        self._process = self._pid = None
        lost = f"the process that user code is forked from {describe_status(status)}"
        if not self._closing:
            log.warning("zygote_ended", status=describe_status(status), attempts=len(slots))
        for slot in slots:
            slot.ended(Exit(None, lost=lost))
        if self._closing:
            self._turn_away()
            return
        if self._failed:
            self._failed = False
            if self._waiting:
                self.launch()
            return
        self._deaths += 1
        if self._deaths > _MOST_RESTARTS:
            self._deaths = 0
            self._give_up(Raised(f"{lost} {_MOST_RESTARTS} times in a row before it was ready", "ZygoteDied"))
            return
        delay = min(_FIRST_BACKOFF_SECONDS * 2 ** (self._deaths - 1), _LONGEST_BACKOFF_SECONDS)
        self._deadline = asyncio.get_running_loop().call_later(delay, self.launch)

    def _give_up(self, error: Raised) -> None:
        waiting, self._waiting = self._waiting, {}
        self._broken(error)
        for slot in waiting.values():
            slot.ended(Exit(None, lost=error.message))

    def _turn_away(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for slot in waiting.values():
            slot.ended(Exit(None, lost="the runner leaves"))

    def _hang_up(self) -> None:
        self._ready = False
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            asyncio.get_running_loop().remove_writer(self._socket)
            self._socket.close()
            self._socket = None

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
