"""User processes that carry out one attempt each, and may wait for it ahead."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import deque
from typing import Any, Protocol

from skerry_runner import routes
from skerry_runner.attempts import Attempt
from skerry_runner.crowds import unheard_seconds
from skerry_runner.messages import Stream, Usage
from skerry_runner.outcomes import Memory, Raised, Returned
from skerry_runner.processes import usage_of
from skerry_runner.requests import EMPTY, Exchange
from skerry_runner.slots import Exit, Slot

# Output before there is an attempt: what a fresh process prints while it imports. It belongs to the attempt that comes.
_EARLY_LINES = 200
# Render's Python SDKs (1.5.0, 0.6.0) give `GET /input` 15 s, then warn and pause for up to 16 s: an idle process of theirs
# is ended before that.
PATIENCE_SECONDS = 12.0


class RunPlaces(Protocol):
    """What a process for one attempt tells the runner."""

    linger_seconds: float
    rest_seconds: float

    def process_asks(self, tenant: RunTenant) -> None:
        """It wants its input."""

    def process_withdraws(self, tenant: RunTenant) -> None:
        """It no longer waits for its input, but lives."""

    def memory_of(self, end: Exit, attempt: Attempt) -> Memory | None:
        """Memory used and allowed, when the kernel ended the process for it."""

    def process_ended_early(self, tenant: RunTenant, end: Exit) -> None:
        """It ended before it was given an attempt."""


class RunTenant:
    """A process that carries out one attempt."""

    def __init__(self, slot: Slot, places: RunPlaces) -> None:
        """Occupy `slot`."""
        self.slot = slot
        self.attempt: Attempt | None = None
        self.asked_at: float | None = None
        self.stopped = False
        self._places = places
        self._held: Exchange | None = None
        self._import_seconds: float | None = None
        self._early: deque[tuple[Stream, bytes]] = deque(maxlen=_EARLY_LINES)
        self._timer: asyncio.TimerHandle | None = None
        slot.occupy(self)

    # For the slot.

    def handle(self, exchange: Exchange) -> None:
        """Serve a request."""
        routes.serve(self, exchange)

    def take_lines(self, stream: Stream, lines: list[bytes]) -> None:
        """Take output."""
        if self.attempt is not None:
            self.attempt.take_lines(stream, lines)
        else:
            self._early.extend((stream, line) for line in lines)

    def expects_more(self) -> bool:
        """A callback may still be unread."""
        return self.attempt is not None and not self.attempt.settled

    def exited(self, end: Exit) -> None:
        """The process is dead."""
        if self._timer is not None:
            self._timer.cancel()
        attempt = self.attempt
        if attempt is None:
            self._places.process_ended_early(self, end)
            return
        usage = Usage(cpu_seconds=round(end.cpu_seconds, 6), max_rss_bytes=end.max_rss_bytes)
        if attempt.ending is None and not attempt.settled:
            attempt.memory = self._places.memory_of(end, attempt)
        attempt.settle(wait_status=end.status, lost=end.lost, usage=usage)
        attempt.book.close()

    # For the routes.

    def attempt_of(self, exchange: Exchange) -> Attempt | None:
        """Every request of the process speaks for its one attempt."""
        return self.attempt

    def give_input(self, exchange: Exchange) -> None:
        """Hold the request until there is an attempt; a process that asks again gets the same."""
        if self.attempt is not None:
            self.attempt.answer_input(exchange)
            return
        self._held = exchange
        exchange.on_abandoned = self._withdraw
        if exchange.query:
            self._import_seconds = _import_seconds(exchange)
        self.asked_at = time.monotonic()
        self._places.process_asks(self)

    def take_callback(self, exchange: Exchange, attempt: Attempt, callback: Returned | Raised) -> None:
        """The attempt is over; its process gets a moment to leave by itself, after a rest where there is to be one."""
        self.slot.drain()
        attempt.settle(callback=callback)
        if self._places.rest_seconds:
            asyncio.get_running_loop().call_later(self._places.rest_seconds, self._let_go, exchange)
        else:
            self._let_go(exchange)

    def take_tasks(self, exchange: Exchange, tasks: list[dict[str, Any]]) -> None:
        """Programs may register in whatever mode: nobody asked here."""
        exchange.answer(200, EMPTY)

    def give_cancellations(self, exchange: Exchange) -> None:
        """Processes of one attempt are cancelled by signal."""
        exchange.refuse(404, "not_found", "cancellations are for worker mode; this process is cancelled by SIGTERM")

    # For the runner.

    def take(self, attempt: Attempt) -> None:
        """Carry out `attempt`."""
        held, self._held = self._held, None
        assert held is not None, "only a process that asks is given an attempt"
        self.attempt = attempt
        attempt.host = self
        # A process that rests with its Pod is in no hurry: others that came with it on this node begin first.
        unheard = unheard_seconds(attempt.assignment.get("company", 1)) if self._places.rest_seconds else 0.0
        attempt.answer_input(held, unheard)
        attempt.begin(self._import_seconds, unheard)
        self.hand_over(attempt)

    def hand_over(self, attempt: Attempt) -> None:
        """Give `attempt` what the process wrote before it had one."""
        while self._early:
            stream, line = self._early.popleft()
            attempt.take_lines(stream, [line])

    def dismiss(self) -> None:
        """End the process: it is not needed."""
        self.stopped = True
        self._kill(signal.SIGKILL)

    # For the attempt.

    def stop(self, attempt: Attempt, grace_seconds: float) -> None:
        """SIGTERM now, SIGKILL later."""
        if grace_seconds > 0:
            self._kill(signal.SIGTERM)
        self._kill_after(grace_seconds)

    @property
    def pid(self) -> int | None:
        """The process id, once known."""
        return self.slot.pid

    def usage(self) -> Usage:
        """What the process has used so far."""
        return usage_of(self.slot.pid)

    def _let_go(self, exchange: Exchange) -> None:
        exchange.answer(200, EMPTY)
        if self._timer is None:
            self._kill_after(self._places.linger_seconds)

    def _kill_after(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._kill, signal.SIGKILL)

    def _kill(self, number: signal.Signals) -> None:
        # The slot may belong to the next process already, when the control plane speaks of an attempt that is over.
        if self.slot.tenant is self:
            self.slot.kill(number)

    def _withdraw(self) -> None:
        self._held = None
        if self.attempt is None:
            self._places.process_withdraws(self)


def _import_seconds(exchange: Exchange) -> float | None:
    """The application's import time from the start-up telemetry of Render's SDK, epoch nanoseconds."""
    parameters = exchange.parameters
    started, finished = parameters.get("sdk_import_started_at", ""), parameters.get("sdk_import_finished_at", "")
    if not (started.isdigit() and finished.isdigit()):
        return None
    return max(0.0, (int(finished) - int(started)) / 1e9)
