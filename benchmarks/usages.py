"""Processor time and memory of a system's processes, by the part they play."""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Usage:
    """One reading of one part.

    Attributes:
        cpu_seconds: Used so far by its processes and by their children that have ended.
        resident_bytes: Resident memory of its main process.
        memory_bytes: Memory of all its processes, pages shared by several counted once (PSS) where
            the system tells it, else the sum of resident memory.
        processes: How many there are now.
    """

    cpu_seconds: float
    resident_bytes: int
    memory_bytes: int
    processes: int


def read(parts: Mapping[str, Iterable[int]]) -> dict[str, Usage]:
    """Read every part, given the process ids at its root; a root below another root belongs to its own part.

    A process that ended in between is counted by its parent, as the kernel adds a child's time to the parent
    that waits for it; so the sum over a family does not lose short-lived children.
    """
    roots = {pid for pids in parts.values() for pid in pids}
    return {part: _read([_family(pid, roots) for pid in pids]) for part, pids in parts.items()}


def _family(root: int, roots: set[int]) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    with contextlib.suppress(psutil.NoSuchProcess):
        waiting = [psutil.Process(root)]
        while waiting:
            process = waiting.pop()
            found.append(process)
            with contextlib.suppress(psutil.NoSuchProcess):
                waiting += [child for child in process.children() if child.pid not in roots]
    return found


def _read(families: list[list[psutil.Process]]) -> Usage:
    cpu, memory, main, count = 0.0, 0, 0, 0
    for family in families:
        for place, process in enumerate(family):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                times = process.cpu_times()
                cpu += times.user + times.system + times.children_user + times.children_system
                resident = process.memory_info().rss
                main += resident if place == 0 else 0
                memory += _shared_once(process.pid) or resident
                count += 1
    return Usage(cpu, main, memory, count)


def _shared_once(pid: int) -> int | None:
    """Proportional set size in bytes, where the kernel tells it."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return None


@dataclass(frozen=True)
class Cost:
    """What a stretch of time cost.

    Attributes:
        spent: Processor seconds used by each part.
        others: Processor seconds used by everything else on the machine.
        usage: Each part at the end.
    """

    spent: dict[str, float]
    others: float
    usage: dict[str, Usage]

    def json(self) -> dict[str, Any]:
        """Plain figures."""
        return asdict(self)


class Watch:
    """Reads the parts when made and again when asked.

    Args:
        parts: Process ids at the root of each part.
    """

    def __init__(self, parts: Mapping[str, Iterable[int]]) -> None:
        self._parts = parts
        self._before, self._busy = read(parts), _busy_seconds()

    def cost(self) -> Cost:
        """The cost since this was made."""
        after, busy = read(self._parts), _busy_seconds() - self._busy
        spent = {part: after[part].cpu_seconds - self._before[part].cpu_seconds for part in after}
        return Cost(spent, max(0.0, busy - sum(spent.values())), after)


def _busy_seconds() -> float:
    """Processor seconds that the whole machine has been busy since it started."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0))
