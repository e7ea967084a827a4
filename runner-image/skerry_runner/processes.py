"""Fresh user processes: started in a session of their own, watched until they and all they left behind are dead."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from skerry_runner.events import log
from skerry_runner.messages import Usage
from skerry_runner.settings import Settings, user_environment
from skerry_runner.slots import Exit, Slot

_LINUX = sys.platform == "linux"
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_BURIAL_SECONDS = 2.0
_POLL_SECONDS = 0.02
_RSS_UNIT = 1024 if _LINUX else 1
_TICKS = os.sysconf("SC_CLK_TCK")

_libc = ctypes.CDLL(None, use_errno=True) if _LINUX else None
Background = Callable[[Coroutine[Any, Any, None]], object]


def become_subreaper() -> None:
    """Let orphans of descendants come to this process instead of init, so that they can be found and ended (Linux)."""
    if _libc is not None and _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


def _prepare_child() -> None:
    """Run between fork and exec: keep orphans together, and die with the runner."""
    if _libc is not None:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Nursery:
    """Starts fresh processes, and buries them.

    Every child of the runner is known here. One that nobody knows is an orphan: what a dead attempt left behind.
    """

    def __init__(self, settings: Settings, background: Background) -> None:
        """Start the program of `settings`; `background` runs coroutines."""
        self._settings = settings
        self._known: set[int] = set()
        self._background = background

    def start(self, slot: Slot, mode: str, extra: dict[str, str] | None = None) -> None:
        """Start the program in `slot`; its end is reported to the slot.

        Raises:
            OSError: The program cannot be started.
        """
        environment = user_environment(mode, slot.path) | (extra or {})
        if self._settings.command:
            # Our own SDK writes line by line; from others, buffered output would come late, or never after a kill.
            environment.setdefault("PYTHONUNBUFFERED", "1")
        process = subprocess.Popen(
            self._settings.program,
            cwd=self._settings.workdir,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=slot.stdout.write_fd,
            stderr=slot.stderr.write_fd,
            start_new_session=True,
            preexec_fn=_prepare_child,  # prctl only: no locks are taken
        )
        self._watch(slot, process)
        slot.started(process.pid)

    def know(self, pid: int) -> None:
        """A child of the runner that is nobody's orphan, the zygote."""
        self._known.add(pid)

    def unknow(self, pid: int) -> None:
        """That child has ended and was waited for."""
        self._known.discard(pid)

    async def bury_orphans(self) -> None:
        """Kill and reap every child nobody knows, and what comes up from below it; bounded in time."""
        deadline = time.monotonic() + _BURIAL_SECONDS
        while orphans := self._orphans():
            for pid in orphans:
                _kill(pid)
            if time.monotonic() > deadline:
                log.error("orphans_survive", pids=sorted(orphans))
                return
            await asyncio.sleep(0.001)

    def _watch(self, slot: Slot, process: subprocess.Popen[bytes]) -> None:
        self._known.add(process.pid)
        watch_exit(process.pid, lambda: self._exited(slot, process))

    def _exited(self, slot: Slot, process: subprocess.Popen[bytes]) -> None:
        _kill_group(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self._known.discard(process.pid)
        end = Exit(status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * _RSS_UNIT)
        if not self._orphans():
            slot.ended(end)
            return
        self._background(self._bury_then_end(slot, end))

    async def _bury_then_end(self, slot: Slot, end: Exit) -> None:
        await self.bury_orphans()
        slot.ended(end)

    def _orphans(self) -> set[int]:
        """Children that are alive and unknown; dead ones are reaped on the way."""
        orphans = _children(os.getpid()) - self._known
        return {pid for pid in orphans if not _reap(pid)}


def watch_exit(pid: int, callback: Callable[[], None]) -> None:
    """Call `callback` once when a child has ended and can be waited for."""
    loop = asyncio.get_running_loop()
    if hasattr(os, "pidfd_open"):
        descriptor = os.pidfd_open(pid)

        def ended() -> None:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            callback()

        loop.add_reader(descriptor, ended)
        return

    def poll() -> None:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            loop.call_later(_POLL_SECONDS, poll)
        else:
            callback()

    poll()


def usage_of(pid: int | None) -> Usage:
    """CPU seconds and peak memory of a living process; zeros when it has just gone.

    On Linux a process's CPU clock is read with nanoseconds; time of children it waited for comes in ticks from /proc.
    """
    if pid is None or not _LINUX:
        return Usage(cpu_seconds=0.0, max_rss_bytes=0)
    try:
        # Linux's MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED), see clock_getcpuclockid(3).
        cpu = time.clock_gettime((~pid << 3) | 2)
        status = _read(f"/proc/{pid}/status")
        if cpu >= 0.05:
            stat = _read(f"/proc/{pid}/stat")
            fields = stat[stat.rindex(b")") + 2 :].split()
            cpu += (int(fields[13]) + int(fields[14])) / _TICKS
    except (OSError, ValueError):  # it has ended: the wait status is on its way
        return Usage(cpu_seconds=0.0, max_rss_bytes=0)
    start = status.find(b"VmHWM:")
    peak = int(status[start + 6 :].split(maxsplit=1)[0]) * 1024 if start >= 0 else 0
    return Usage(cpu_seconds=round(cpu, 6), max_rss_bytes=peak)


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 4096)
    finally:
        os.close(descriptor)


def _children(pid: int) -> set[int]:
    tasks = Path(f"/proc/{pid}/task")
    if not tasks.exists():
        return set()
    found: set[int] = set()
    for task in tasks.iterdir():
        try:
            found.update(map(int, (task / "children").read_text().split()))
        except FileNotFoundError:  # the thread has ended
            continue
    return found


def _reap(pid: int) -> bool:
    try:
        reaped, _ = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return True
    return reaped != 0


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it has ended by itself


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return  # no member is left (macOS answers "not permitted" for a group of zombies)
