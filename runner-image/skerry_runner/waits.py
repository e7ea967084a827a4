"""How one attempt waits for its children, and tells the control plane that it does nothing else."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from skerry_runner.calls import base64_of
from skerry_runner.messages import ChildFinished
from skerry_runner.requests import Exchange

DEFAULT_WAIT_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 60.0

# A process that waits this long does nothing else, for all one can tell from outside.
WAITING_AFTER_SECONDS = 0.25
# Polling SDKs sleep up to a second between two polls: the pause belongs to the wait.
POLL_PAUSE_SECONDS = 3.0


class Waiter(Protocol):
    """What waits need of their attempt."""

    def send_waiting(self, waiting: bool) -> None:
        """Say whether the attempt only waits for children."""

    def slots_are_busy(self) -> bool:
        """Whether somebody could use this attempt's place at once."""


class _Wait:
    __slots__ = ("exchange", "many", "runs", "scheduled", "timer")

    def __init__(self, exchange: Exchange, runs: set[str], *, many: bool) -> None:
        self.exchange = exchange
        self.runs = runs
        self.many = many
        self.timer: asyncio.TimerHandle | None = None
        self.scheduled = False


class Waits:
    """The waits of one attempt."""

    def __init__(self, waiter: Waiter, known: set[str]) -> None:
        """Wait for runs in `known`, which grows with each child."""
        self.waiting = False
        self._waiter = waiter
        self._known = known
        self._finished: dict[str, ChildFinished] = {}
        self._waits: set[_Wait] = set()
        self._pause: asyncio.TimerHandle | None = None

    def wait_one(self, exchange: Exchange, run: str, seconds: float) -> None:
        """`POST /get-subtask-result`."""
        if run in self._known:
            self._wait(_Wait(exchange, {run}, many=False), seconds)
        else:
            exchange.refuse(404, "task_run_not_found", f"{run} is not a child of this run")

    def wait_many(self, exchange: Exchange, runs: set[str], seconds: float) -> None:
        """`POST /get-subtask-results`."""
        unknown = runs - self._known
        if unknown:
            exchange.refuse(404, "task_run_not_found", f"not children of this run: {', '.join(sorted(unknown)[:5])}")
        else:
            self._wait(_Wait(exchange, runs, many=True), seconds)

    def on_child_finished(self, message: ChildFinished) -> None:
        """A child ended; sent again after a reconnect, the first word stands."""
        run = message["run"]
        if run in self._finished:
            return
        self._known.add(run)
        self._finished[run] = message
        for wait in self._waits:
            if run in wait.runs and not wait.scheduled:
                # Children that end together arrive together: one answer for all that this read brought.
                wait.scheduled = True
                asyncio.get_running_loop().call_soon(self._finish, wait)

    def close(self) -> None:
        """The attempt is over: nobody listens any more."""
        for wait in self._waits:
            if wait.timer is not None:
                wait.timer.cancel()
        self._waits.clear()
        self._stop_pause()

    def _wait(self, wait: _Wait, seconds: float) -> None:
        if not wait.runs.isdisjoint(self._finished) or not wait.runs:
            self._answer(wait)
        elif seconds <= 0:
            self._decline(wait)
            self._rest()
        else:
            self._hold(wait, seconds)

    def _hold(self, wait: _Wait, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        wait.timer = loop.call_later(min(seconds, LONGEST_WAIT_SECONDS), self._time_out, wait)
        wait.exchange.on_abandoned = lambda: self._abandon(wait)
        self._waits.add(wait)
        self._stop_pause()
        if self.waiting:
            return
        if self._waiter.slots_are_busy():
            self._say_waiting(True)
        else:
            self._pause = loop.call_later(WAITING_AFTER_SECONDS, self._say_waiting, True)

    def _finish(self, wait: _Wait) -> None:
        if wait not in self._waits:
            return  # timed out or abandoned meanwhile
        self._answer(wait)
        self._remove(wait)
        self._resume()

    def _abandon(self, wait: _Wait) -> None:
        self._remove(wait)
        self._resume()

    def _time_out(self, wait: _Wait) -> None:
        self._decline(wait)
        self._remove(wait)
        self._rest()

    def _answer(self, wait: _Wait) -> None:
        finished = {run: _result_of(self._finished[run]) for run in wait.runs if run in self._finished}
        if wait.many:
            wait.exchange.answer_json({"results": finished})
        else:
            (result,) = finished.values()
            wait.exchange.answer_json({"still_running": False, **result})

    def _decline(self, wait: _Wait) -> None:
        wait.exchange.answer_json({"results": {}} if wait.many else {"still_running": True})

    def _remove(self, wait: _Wait) -> None:
        if wait.timer is not None:
            wait.timer.cancel()
        self._waits.discard(wait)

    def _resume(self) -> None:
        """The process has got something to work on."""
        if not self._waits:
            self._stop_pause()
            self._say_waiting(False)

    def _rest(self) -> None:
        """The process got nothing, and is expected to ask again soon."""
        if not self._waits and self.waiting:
            self._stop_pause()
            self._pause = asyncio.get_running_loop().call_later(POLL_PAUSE_SECONDS, self._say_waiting, False)

    def _say_waiting(self, waiting: bool) -> None:
        self._pause = None
        if waiting != self.waiting:
            self.waiting = waiting
            self._waiter.send_waiting(waiting)

    def _stop_pause(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None


def wait_seconds(body: dict[str, Any]) -> float:
    """How long a request is willing to wait; a malformed wish counts as none."""
    value = body.get("wait_seconds")
    return float(value) if isinstance(value, int | float) else DEFAULT_WAIT_SECONDS


def _result_of(message: ChildFinished) -> dict[str, Any]:
    if message["status"] == "succeeded":
        return {"complete": {"output": base64_of(message.get("result") or "")}}
    error = message.get("error") or {}
    answer = {
        "details": error.get("message") or f"the child run ended as {message['status']}",
        "status": message["status"],
    }
    for name in ("type", "stack_trace"):
        if error.get(name):
            answer[name] = error[name]
    return {"error": answer}
