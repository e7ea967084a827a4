"""Worker mode: many attempts in one long-lived process."""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from typing import Any, Protocol

from skerry_runner import routes
from skerry_runner.attempts import Attempt
from skerry_runner.events import log
from skerry_runner.messages import Stream, Usage
from skerry_runner.outcomes import Raised, Returned
from skerry_runner.places import Slots
from skerry_runner.processes import Nursery
from skerry_runner.requests import EMPTY, Exchange
from skerry_runner.settings import Settings
from skerry_runner.slots import Exit, Slot

_CANCELLATIONS_SECONDS = 30.0
_TAIL_LINES = 200
# An attempt that is not given the time to end costs the whole worker.
_LEAST_GRACE_SECONDS = 1.0


class WorkerPlaces(Protocol):
    """What a worker tells the runner."""

    def worker_asks(self, worker: WorkerTenant) -> None:
        """It has room for another attempt."""

    def worker_ended(self, worker: WorkerTenant, end: Exit) -> None:
        """The process is dead."""


class WorkerTenant:
    """A process that carries out many attempts at a time.

    An attempt that does not end when asked to is reported as ended all the same. Its code may still run, so the worker
    gets no further attempts (`tainted`) and is replaced when the others are done.
    """

    def __init__(self, slot: Slot, places: WorkerPlaces) -> None:
        """Occupy `slot`."""
        self.slot = slot
        self.attempts: dict[str, Attempt] = {}
        self.tainted = False
        self._places = places
        self._held: deque[Exchange] = deque()
        self._canceled: list[str] = []
        self._listener: Exchange | None = None
        self._listener_timer: asyncio.TimerHandle | None = None
        self._killers: dict[str, asyncio.TimerHandle] = {}
        self.served = False
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES)
        slot.occupy(self)

    def handle(self, exchange: Exchange) -> None:
        """Serve a request."""
        routes.serve(self, exchange)

    def take_lines(self, stream: Stream, lines: list[bytes]) -> None:
        r"""Sort lines by their tag, `\x1e<attempt>\x1f`; those without one are the worker's own."""
        for line in lines:
            tag, separator, text = line.partition(b"\x1f")
            if separator and tag.startswith(b"\x1e"):
                attempt = self.attempts.get(tag[1:].decode("ascii", "replace"))
                if attempt is not None:
                    attempt.take_lines(stream, [text])
            elif line:
                own = line.decode("utf-8", "replace")
                self.tail.append(own)
                log.info("worker_output", stream=stream, line=own)

    def expects_more(self) -> bool:
        """A callback may still be unread."""
        return bool(self.attempts)

    def exited(self, end: Exit) -> None:
        """The process is dead, and with it all its attempts."""
        if self._listener_timer is not None:
            self._listener_timer.cancel()
        for killer in self._killers.values():
            killer.cancel()
        usage = Usage(cpu_seconds=round(end.cpu_seconds, 6), max_rss_bytes=end.max_rss_bytes)
        attempts, self.attempts = self.attempts, {}
        for attempt in attempts.values():
            attempt.settle(wait_status=end.status, lost=end.lost, usage=usage)
        self._places.worker_ended(self, end)

    def attempt_of(self, exchange: Exchange) -> Attempt | None:
        """Requests name their attempt in a header."""
        return self.attempts.get(exchange.attempt)

    def give_input(self, exchange: Exchange) -> None:
        """Hold the request until there is an attempt for it."""
        self._held.append(exchange)
        exchange.on_abandoned = lambda: self._held.remove(exchange)
        self._places.worker_asks(self)

    def take_callback(self, exchange: Exchange, attempt: Attempt, callback: Returned | Raised) -> None:
        """One of the attempts is over."""
        self.slot.drain()
        attempt.settle(callback=callback)
        exchange.answer(200, EMPTY)
        self._forget(attempt)

    def take_tasks(self, exchange: Exchange, tasks: list[dict[str, Any]]) -> None:
        """Nobody asked here."""
        exchange.answer(200, EMPTY)

    def give_cancellations(self, exchange: Exchange) -> None:
        """Hold the request until something is cancelled, or for a while."""
        self._listener = exchange
        exchange.on_abandoned = self._stop_listening
        if self._canceled:
            self._tell_canceled()
        else:
            loop = asyncio.get_running_loop()
            self._listener_timer = loop.call_later(_CANCELLATIONS_SECONDS, self._tell_canceled)

    @property
    def has_room(self) -> bool:
        """Whether it waits for another attempt."""
        return bool(self._held) and not self.tainted

    def take(self, attempt: Attempt) -> None:
        """Carry out `attempt`, among others."""
        self.served = True
        self.attempts[attempt.id] = attempt
        attempt.host = self
        attempt.answer_input(self._held.popleft())
        attempt.begin(None)

    def dismiss(self) -> None:
        """End the process."""
        self.tainted = True
        self.slot.kill(signal.SIGKILL)

    def stop(self, attempt: Attempt, grace_seconds: float) -> None:
        """Tell the process which attempt to cancel; go on without it after the grace time."""
        if attempt.id not in self.attempts:
            return
        self._canceled.append(attempt.id)
        if self._listener is not None:
            self._tell_canceled()
        loop = asyncio.get_running_loop()
        self._killers[attempt.id] = loop.call_later(max(grace_seconds, _LEAST_GRACE_SECONDS), self._abandon, attempt)

    @property
    def pid(self) -> int | None:
        """The process id, once known."""
        return self.slot.pid

    def usage(self) -> Usage:
        """Shared by all attempts of a worker, so it cannot be told for one of them."""
        return Usage(cpu_seconds=0.0, max_rss_bytes=0)

    def _abandon(self, attempt: Attempt) -> None:
        self.tainted = True
        log.warning("worker_attempt_abandoned", attempt=attempt.id)
        attempt.settle()
        self._forget(attempt)

    def _forget(self, attempt: Attempt) -> None:
        self.attempts.pop(attempt.id, None)
        killer = self._killers.pop(attempt.id, None)
        if killer is not None:
            killer.cancel()
        if self.tainted and not self.attempts:
            self.dismiss()

    def _tell_canceled(self) -> None:
        listener = self._listener
        self._stop_listening()
        if listener is not None:
            canceled, self._canceled = self._canceled, []
            listener.answer_json({"attempts": canceled})

    def _stop_listening(self) -> None:
        self._listener = None
        if self._listener_timer is not None:
            self._listener_timer.cancel()
            self._listener_timer = None


class SharedPlaces:
    """One worker, as a rule.

    Another is started when all places of the first are taken by attempts that only wait for their children, which need a
    place to run, and when the first must not be given more work (`tainted`).
    """

    def __init__(self, settings: Settings, slots: Slots, nursery: Nursery) -> None:
        """Use `slots`."""
        self._settings = settings
        self._slots = slots
        self._nursery = nursery
        self._queue: deque[Attempt] = deque()
        self._workers: list[WorkerTenant] = []
        self._resting = False
        self._broken = False

    def start(self) -> None:
        """Start the worker."""
        self.fill()

    def place(self, attempt: Attempt) -> None:
        """Give the attempt to a worker, or let it wait for one."""
        for worker in self._workers:
            if worker.has_room:
                worker.take(attempt)
                return
        self._broken = False
        self._queue.append(attempt)
        self.fill()

    def withdraw(self, attempt: Attempt) -> None:
        """Forget a queued attempt."""
        if attempt.host is None and attempt in self._queue:
            self._queue.remove(attempt)

    def fill(self) -> None:
        """Start a worker when there is none, or too few for what runs and waits."""
        usable = [worker for worker in self._workers if not worker.tainted]
        if self._broken or (self._resting and not self._queue):
            return
        active = sum(len(worker.attempts) for worker in usable)
        if usable and active + len(self._queue) <= self._settings.capacity * len(usable):
            return
        slot = self._slots.acquire()
        if slot is None:
            return
        worker = WorkerTenant(slot, self)
        self._workers.append(worker)
        try:
            self._nursery.start(slot, "worker", {"SKERRY_WORKER_CONCURRENCY": str(self._settings.capacity)})
        except OSError as error:
            slot.ended(Exit(None, lost=f"{self._settings.program[0]} cannot be started: {error.strerror or error}"))

    def rest(self) -> None:
        """Start no further worker."""
        self._resting = True

    @property
    def queued(self) -> int:
        """Attempts that wait for a worker."""
        return len(self._queue)

    @property
    def lingering(self) -> bool:
        """Workers stay until they are ended."""
        return False

    def close(self) -> None:
        """End everything."""
        self._resting = True
        for worker in self._workers:
            worker.tainted = True
        for slot in self._slots.occupied:
            slot.kill(signal.SIGKILL)

    def worker_asks(self, worker: WorkerTenant) -> None:
        """A worker has room."""
        if worker.has_room and self._queue:
            worker.take(self._queue.popleft())

    def worker_ended(self, worker: WorkerTenant, end: Exit) -> None:
        """A worker is dead. One that never took work is started again with the next attempt only."""
        self._workers.remove(worker)
        if worker.tainted:
            return
        log.warning("worker_ended", status=end.status, lost=end.lost)
        if worker.served:
            return
        self._broken = True
        queue, self._queue = self._queue, deque()
        message = end.lost or "the application cannot be imported: the worker ended before it took any work"
        for attempt in queue:
            attempt.settle(broken=Raised(message, "WorkerDied", "\n".join(worker.tail) or None))
