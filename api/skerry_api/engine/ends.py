"""Who waits for which run, and how they learn of its end.

Announcements are accelerators: `catch_up` asks Postgres about everything still waited for, so that a lost one costs at most
one poll.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from types import TracebackType

from skerry_api.storage.runs import Finished

Listener = Callable[[Finished], None]


class Ends:
    """The runs somebody on this process waits for."""

    def __init__(self, fetch_finished: Callable[[Sequence[str]], Awaitable[list[Finished]]]) -> None:
        """`fetch_finished` reads which of some runs are over."""
        self._fetch_finished = fetch_finished
        self._listeners: dict[str, list[Listener]] = {}

    def listen(self, run_id: str, listener: Listener) -> None:
        """Call `listener` once, when the run ends."""
        self._listeners.setdefault(run_id, []).append(listener)

    def ignore(self, run_id: str, listener: Listener) -> None:
        """Stop listening; harmless when the end was announced already."""
        listeners = self._listeners.get(run_id)
        if listeners and listener in listeners:
            listeners.remove(listener)
            if not listeners:
                del self._listeners[run_id]

    def announce(self, finished: Finished) -> None:
        """Tell everybody who waits for this run."""
        for listener in self._listeners.pop(finished.run, ()):
            listener(finished)

    def awaits(self, run_id: str) -> bool:
        """Whether anybody here waits for the run."""
        return run_id in self._listeners

    @property
    def awaited(self) -> list[str]:
        """The runs waited for."""
        return list(self._listeners)

    def expect(self, run_ids: Collection[str]) -> Expectation:
        """Wait for runs inside a `with` block; enter it before reading their present state."""
        return Expectation(self, run_ids)

    async def catch_up(self, run_ids: Sequence[str] | None = None) -> None:
        """Announce the end of those awaited runs that are over (or of those of `run_ids` that are awaited)."""
        wanted = self.awaited if run_ids is None else [run_id for run_id in run_ids if run_id in self._listeners]
        for start in range(0, len(wanted), 1000):
            for finished in await self._fetch_finished(wanted[start : start + 1000]):
                self.announce(finished)


class Expectation:
    """Ends of some runs as they come, for as long as its `with` block lasts."""

    def __init__(self, ends: Ends, run_ids: Collection[str]) -> None:
        """Expect the ends of `run_ids`."""
        self._ends = ends
        self._open = set(run_ids)
        self._come: deque[Finished] = deque()
        self._wake: asyncio.Future[None] | None = None

    def __enter__(self) -> Expectation:
        for run_id in self._open:
            self._ends.listen(run_id, self._arrive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for run_id in self._open:
            self._ends.ignore(run_id, self._arrive)

    def _arrive(self, finished: Finished) -> None:
        self._open.discard(finished.run)
        self._come.append(finished)
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def first(self, timeout_seconds: float) -> Finished | None:
        """The next end, or None when none came in time."""
        if not self._come:
            self._wake = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._wake], timeout=timeout_seconds)
        return self._come.popleft() if self._come else None

    async def all(self, timeout_seconds: float) -> AsyncIterator[Finished]:
        """Every end, in order; stops when all have come or none came for `timeout_seconds`."""
        while self._open or self._come:
            finished = await self.first(timeout_seconds)
            if finished is None:
                return
            yield finished
