"""Memory limits where no cgroup enforces them: on a developer's machine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from skerry_runner.attempts import Attempt
from skerry_runner.memory import process_children, tree_bytes
from skerry_runner.outcomes import Memory

_INTERVAL_SECONDS = 1.0


class MemoryWatch:
    """Kills attempts whose process tree uses more than their plan allows; idle while none runs."""

    def __init__(self, attempts: Mapping[str, Attempt]) -> None:
        """Watch whatever is in `attempts`."""
        self._attempts = attempts
        self._awake = False

    def wake(self) -> None:
        """There is an attempt to watch."""
        if not self._awake:
            self._awake = True
            asyncio.get_running_loop().call_later(_INTERVAL_SECONDS, self._check)

    def _check(self) -> None:
        self._awake = False
        # Workers carry several attempts in one process: each tree is measured once.
        used: dict[int, int] = {}
        children: dict[int, list[int]] | None = None
        for attempt in tuple(self._attempts.values()):
            plan = attempt.assignment["plan"]
            if attempt.settled or plan is None:
                continue
            self.wake()
            pid = None if attempt.host is None else attempt.host.pid
            if pid is None:
                continue
            if pid not in used:
                children = process_children() if children is None else children
                used[pid] = tree_bytes(pid, children)
            if used[pid] > plan["memory_bytes"]:
                attempt.memory = Memory(used[pid], plan["memory_bytes"])
                attempt.end("memory", 0)
