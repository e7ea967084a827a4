"""Output of user processes: captured from pipes, cut into lines, limited, batched and echoed."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable

import orjson

from skerry_runner.messages import Limits, LogEntry, Stream, rfc3339
from skerry_runner.outputs import standard_outputs
from skerry_runner.settings import Echo

# A batch leaves after this time or at this size, whichever comes first: live to the eye, cheap on the wire.
FLUSH_SECONDS = 0.1
FLUSH_LINES = 200
FLUSH_BYTES = 256 * 1024

_READ_BYTES = 64 * 1024
# A process that never stops writing must not keep its own completion from being sent.
_DRAIN_READS = 32
_TAIL_LINES = 40
_TAIL_LINE_BYTES = 1000

Deliver = Callable[[Stream, list[bytes]], None]


class Capture:
    """One stream of a slot: a pipe that one process after another writes to.

    The runner keeps the writing end open, so nothing is created per run and there is no end of file: that a process is
    over is learned from its death, when everything it wrote can be read.
    """

    def __init__(self, stream: Stream, limits: Limits, deliver: Deliver) -> None:
        """Create the pipe; call `start` within a running loop."""
        self._stream = stream
        self._limits = limits
        self._deliver = deliver
        self._read_fd, self.write_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        self._partial = b""
        self._cut = 0

    def start(self) -> None:
        """Deliver lines as they are written."""
        asyncio.get_running_loop().add_reader(self._read_fd, self._read)

    def prepare(self) -> None:
        """Make the pipe fit for its next process: a former one may have left the shared end non-blocking."""
        os.set_blocking(self.write_fd, True)

    def drain(self) -> None:
        """Deliver what has been written until now, the unfinished last line included."""
        for _ in range(_DRAIN_READS):
            if not self._read():
                break
        if self._partial:
            line, self._partial = self._finished(self._partial), b""
            self._deliver(self._stream, [line])

    def close(self) -> None:
        """Give the pipe back."""
        asyncio.get_running_loop().remove_reader(self._read_fd)
        os.close(self._read_fd)
        os.close(self.write_fd)

    def _read(self) -> bool:
        try:
            data = os.read(self._read_fd, _READ_BYTES)
        except BlockingIOError:
            return False
        pieces = data.split(b"\n")
        if len(pieces) == 1:
            self._extend(data)
            return True
        self._extend(pieces[0])
        pieces[0] = self._finished(self._partial)
        self._partial = b""
        self._extend(pieces.pop())
        self._deliver(self._stream, pieces)
        return True

    def _extend(self, piece: bytes) -> None:
        room = self._limits.log_line_bytes - len(self._partial)
        if len(piece) > room:
            self._cut += len(piece) - room
            piece = piece[:room]
        self._partial += piece

    def _finished(self, line: bytes) -> bytes:
        if self._cut:
            line += f" … {self._cut:,} bytes cut".encode()
            self._cut = 0
        return line


class LogBook:
    """Lines of one attempt on their way to the control plane."""

    __slots__ = ("_dropped", "_echo", "_entries", "_limits", "_second", "_send", "_size", "_tail", "_taken", "_timer")

    def __init__(
        self, limits: Limits, send: Callable[[list[LogEntry]], bool], echo: Callable[[list[LogEntry]], None]
    ) -> None:
        """Collect lines for `send`, which answers False when it cannot take any now, and for `echo`."""
        self._limits = limits
        self._send = send
        self._echo = echo
        self._entries: list[LogEntry] = []
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._second = 0
        self._taken = 0
        self._dropped = 0
        self._tail: deque[bytes] | None = None

    def add(self, stream: Stream, lines: list[bytes]) -> None:
        """Take lines without their line ends; more than `log_lines_per_second` are counted and dropped."""
        now = time.time()
        if stream == "stderr":
            self._remember(lines)
        room = self._room(now)
        if len(lines) > room:
            self._dropped += len(lines) - room
            lines = lines[:room]
        self._taken += len(lines)
        moment = rfc3339(now)
        limit = self._limits.log_line_bytes
        for line in lines:
            if len(line) > limit + 64:  # whole lines within one read were not cut yet; 64 leaves room for the notice
                line = line[:limit] + f" … {len(line) - limit:,} bytes cut".encode()
            self._size += len(line)
            self._entries.append(LogEntry(time=moment, stream=stream, line=_text(line)))
        if len(self._entries) >= FLUSH_LINES or self._size >= FLUSH_BYTES:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Send what was collected."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._dropped and int(time.time()) != self._second:
            self._notice()
        if self._entries:
            entries, self._entries, self._size = self._entries, [], 0
            self._echo(entries)
            if not self._send(entries):
                self._dropped += len(entries)
        if self._dropped:
            self._timer = asyncio.get_running_loop().call_later(1.0, self.flush)

    def close(self) -> None:
        """Send what was collected, with a last word on what was dropped."""
        if self._timer is None and not self._entries and not self._dropped:
            return
        if self._dropped:
            self._notice()
        self.flush()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def tail(self) -> str:
        """The last lines of stderr."""
        return "\n".join(map(_text, self._tail)) if self._tail else ""

    def _remember(self, lines: list[bytes]) -> None:
        if self._tail is None:
            self._tail = deque(maxlen=_TAIL_LINES)
        self._tail.extend(line[:_TAIL_LINE_BYTES] for line in lines[-_TAIL_LINES:])

    def _room(self, now: float) -> int:
        if int(now) != self._second:
            if self._dropped:
                self._notice()
            self._second, self._taken = int(now), 0
        return max(0, self._limits.log_lines_per_second - self._taken)

    def _notice(self) -> None:
        limit = self._limits.log_lines_per_second
        line = f"… {self._dropped:,} lines dropped: more than {limit:,} in a second, or nobody to take them"
        self._entries.append(LogEntry(time=rfc3339(time.time()), stream="stderr", line=line))
        self._dropped = 0


def echo_for(kind: Echo, labels: dict[str, str]) -> Callable[[list[LogEntry]], None]:
    """A function that repeats lines on the runner's own streams, so that the container's log has them too.

    Args:
        kind: `json` (one object a line, with `labels`), `text` (the line alone) or `none`.
        labels: What identifies the attempt.
    """
    if kind == "none":
        return _no_echo

    outputs = standard_outputs()

    def echo(entries: list[LogEntry]) -> None:
        for stream, target in outputs.items():
            chosen = [entry for entry in entries if entry["stream"] == stream]
            if not chosen:
                continue
            if kind == "json":
                data = b"".join(orjson.dumps({**labels, **entry}, option=orjson.OPT_APPEND_NEWLINE) for entry in chosen)
            else:
                data = "".join(entry["line"] + "\n" for entry in chosen).encode()
            target.write_bytes(data)

    return echo


def _no_echo(_entries: list[LogEntry]) -> None:
    """Lines go to the control plane only."""


def _text(line: bytes) -> str:
    # Databases take no NUL in text, and a carriage return is the other half of a line end.
    return line.removesuffix(b"\r").replace(b"\0", b"\xef\xbf\xbd").decode("utf-8", "replace")
