"""Memory of process trees, and whether the kernel killed for it."""

from __future__ import annotations

import os
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PROC = Path("/proc")


class OomCounter:
    """The `oom_kill` counter of this process's memory cgroup (v2, or v1's memory controller)."""

    def __init__(self, root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> None:
        """Remember the present count; without a readable cgroup nothing is ever detected."""
        self._file = _counter_file(root, membership)
        self._seen = self._count()

    def grew(self) -> bool:
        """Whether the kernel has killed for memory since the last call."""
        count = self._count()
        grew, self._seen = count > self._seen, count
        return grew

    def allowed_bytes(self) -> int | None:
        """The cgroup's limit; None without one."""
        if self._file is None:
            return None
        for name in ("memory.max", "memory.limit_in_bytes"):
            path = self._file.with_name(name)
            if path.exists():
                text = path.read_text().strip()
                # v1 spells "no limit" as the largest page-aligned 63-bit number.
                return int(text) if text.isdigit() and int(text) < 1 << 60 else None
        return None

    def _count(self) -> int:
        if self._file is None:
            return 0
        for line in self._file.read_text().splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
        return 0


def _counter_file(root: Path, membership: Path) -> Path | None:
    if not membership.exists():
        return None
    for line in membership.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            candidates = [root / path.lstrip("/") / "memory.events", root / "memory.events"]
        elif "memory" in controllers.split(","):
            # Inside a container the path is the host's, while the mount shows the container's own group as its root.
            candidates = [
                root / "memory" / path.lstrip("/") / "memory.oom_control",
                root / "memory" / "memory.oom_control",
            ]
        else:
            continue
        for candidate in candidates:
            if candidate.exists():
                return candidate
    return None


def process_children() -> dict[int, list[int]]:
    """Every process of this machine's view with its children."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir(_PROC):
        if not entry.isdigit():
            continue
        try:
            stat = (_PROC / entry / "stat").read_bytes()
        except (FileNotFoundError, ProcessLookupError):  # ended meanwhile
            continue
        # The name may hold blanks and parentheses: fields start after the last one.
        parent = int(stat[stat.rindex(b")") + 2 :].split()[1])
        children.setdefault(parent, []).append(int(entry))
    return children


def tree_bytes(pid: int, children: dict[int, list[int]]) -> int:
    """Resident memory of a process and all its descendants; pages they share are counted for each."""
    total = 0
    pending = [pid]
    while pending:
        current = pending.pop()
        pending += children.get(current, ())
        try:
            statm = (_PROC / str(current) / "statm").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += int(statm.split()[1]) * _PAGE_BYTES
    return total
