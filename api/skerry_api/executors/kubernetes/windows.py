"""How many Pods may be starting at once, and for which of the queued attempts: a node that starts many starts each slowly."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from skerry_api.executors.kubernetes.decisions import start_seconds
from skerry_api.storage.launches import Launch
from skerry_objects.task_runs import TaskRun

# Whatever the cluster can do: the rest of a burst of triggers queues in Postgres, not in the API server.
MOST_STARTING: Final = 200
# What a node can always be asked for, and what is asked of it first.
STARTING_PER_NODE: Final = 8
# In so long a Pod starts on a node that is busy and not overloaded; twice the shortest start where that is longer.
START_SECONDS: Final = 4.0
# A Pod that has not begun by then, or of which the cluster says what it waits for, does not keep a node busy.
HELD_UP_SECONDS: Final = 20.0
# What was seen so long ago may have changed: nodes come and go.
MEMORY_SECONDS: Final = 3600.0


class Window:
    """Lets as many Pods be starting as began within the time that a start may take, and at least some for each node.

    So a start takes about that time, however long the queue is and however many Pods a second the cluster can start: what
    it starts faster than that widens the window. Bare Pods, 200 at once on a node of two cores, take 1.3 to 1.5 times as long
    as with 24 to 40 of them under way (benchmarks/README.md).
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with one node and nothing starting."""
        self._clock = clock
        self._nodes: dict[str, float] = {}
        # Since when the queued attempts that have a TaskRun have it.
        self._since: dict[str, float] = {}
        self._begun: deque[float] = deque()
        self._shortest: tuple[float, float] | None = None

    def see(self, task_run: TaskRun) -> None:
        """Take note of the node that a run is on, and how long its Pod took to start."""
        now = self._clock()
        if task_run.status.node is not None:
            self._nodes[task_run.status.node] = now
        took = start_seconds(task_run)
        if took is not None and (
            self._shortest is None or took < self._shortest[0] or self._is_old(self._shortest[1], now)
        ):
            self._shortest = took, now

    @property
    def size(self) -> int:
        """How many Pods may be starting."""
        now = self._clock()
        self._nodes = {node: seen for node, seen in self._nodes.items() if not self._is_old(seen, now)}
        while self._begun and now - self._begun[0] > self._start_seconds(now):
            self._begun.popleft()
        return min(MOST_STARTING, max(STARTING_PER_NODE * max(1, len(self._nodes)), len(self._begun)))

    def open(self, queued: Sequence[Launch], launched: Mapping[str, TaskRun]) -> list[Launch]:
        """Those that have or may have TaskRuns, in the order of the queue.

        Args:
            queued: all attempts that need Pods of their own, in that order.
            launched: the TaskRuns of those that have one, by attempt.
        """
        self._note(launched)
        starting = sum(not self._is_held_up(launch, launched) for launch in queued if launch.attempt in launched)
        further = _shared([launch for launch in queued if launch.attempt not in launched], queued, launched)
        chosen = {launch.attempt for launch in further[: max(0, self.size - starting)]}
        return [launch for launch in queued if launch.attempt in launched or launch.attempt in chosen]

    def _note(self, launched: Mapping[str, TaskRun]) -> None:
        now, before = self._clock(), self._since
        self._since = {attempt: before.get(attempt, now) for attempt in launched}
        self._begun.extend(now for attempt in before if attempt not in launched)

    def _start_seconds(self, now: float) -> float:
        if self._shortest is None or self._is_old(self._shortest[1], now):
            return START_SECONDS
        return max(START_SECONDS, 2 * self._shortest[0])

    def _is_old(self, seen: float, now: float) -> bool:
        return now - seen >= MEMORY_SECONDS

    def _is_held_up(self, launch: Launch, launched: Mapping[str, TaskRun]) -> bool:
        status = launched[launch.attempt].status
        told = status.attempt == launch.number and status.reason is not None
        return told or self._clock() - self._since[launch.attempt] > HELD_UP_SECONDS


def _shared(further: Sequence[Launch], queued: Sequence[Launch], launched: Mapping[str, TaskRun]) -> list[Launch]:
    """In turns of their pools, so that one with many in the queue, or whose Pods fit no node, leaves room to others."""
    ranks = Counter(launch.pool for launch in queued if launch.attempt in launched)
    ranked = []
    for launch in further:
        ranked.append((ranks[launch.pool], launch))
        ranks[launch.pool] += 1
    return [launch for _, launch in sorted(ranked, key=lambda pair: pair[0])]
