"""Who waits for which run, and how they learn of its end.

Announcements are accelerators: `catch_up` asks Postgres about everything still waited for, so that a lost one costs at most
one poll. A listener gets what the run ended with; who expects runs only learns which are over, and reads what it needs.
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
        self._expectations: dict[str, list[Expectation]] = {}

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
        self.meet(finished.run)
        for listener in self._listeners.pop(finished.run, ()):
            listener(finished)

    def meet(self, run_id: str) -> None:
        """Tell those who expect this run that the record says it is over."""
        for expectation in self._expectations.pop(run_id, ()):
            expectation.arrive(run_id)

    def heeds(self, run_id: str) -> bool:
        """Whether anybody here listens for what the run ends with."""
        return run_id in self._listeners

    @property
    def awaited(self) -> set[str]:
        """The runs anybody here waits for."""
        return self._listeners.keys() | self._expectations.keys()

    def expect(self, run_ids: Collection[str]) -> Expectation:
        """Wait for runs inside a `with` block; enter it before reading their present state."""
        return Expectation(self._expectations, run_ids)

    async def catch_up(self, run_ids: Sequence[str] | None = None) -> None:
        """Announce the end of those awaited runs that are over (or of those of `run_ids` that are awaited)."""
        if run_ids is None:
            wanted = list(self.awaited)
        else:
            wanted = [run_id for run_id in run_ids if run_id in self._listeners or run_id in self._expectations]
        for start in range(0, len(wanted), 1000):
            for finished in await self._fetch_finished(wanted[start : start + 1000]):
                self.announce(finished)


class Expectation:
    """Runs as they end, for as long as its `with` block lasts."""

    def __init__(self, expectations: dict[str, list[Expectation]], run_ids: Collection[str]) -> None:
        """Expect the ends of `run_ids`, and be found among `expectations` meanwhile."""
        self._expectations = expectations
        self._open = set(run_ids)
        self._come: deque[str] = deque()
        self._wake: asyncio.Future[None] | None = None

    def __enter__(self) -> Expectation:
        for run_id in self._open:
            self._expectations.setdefault(run_id, []).append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for run_id in self._open:
            expectations = self._expectations[run_id]
            expectations.remove(self)
            if not expectations:
                del self._expectations[run_id]

    def arrive(self, run_id: str) -> None:
        """A run is over; called once for each."""
        self._open.discard(run_id)
        self._come.append(run_id)
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def first(self, timeout_seconds: float) -> str | None:
        """The next run that is over, or None when none came in time."""
        if not self._come:
            self._wake = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._wake], timeout=timeout_seconds)
        return self._come.popleft() if self._come else None

    async def all(self, timeout_seconds: float) -> AsyncIterator[str]:
        """Every run, in the order of their ends; stops when all have come or none came for `timeout_seconds`."""
        while self._open or self._come:
            run_id = await self.first(timeout_seconds)
            if run_id is None:
                return
            yield run_id
