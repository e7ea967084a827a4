"""One try of a run, from its assignment to its acknowledged end."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import orjson

from skerry_runner.calls import Calls, base64_of
from skerry_runner.events import log
from skerry_runner.logs import LogBook, echo_for
from skerry_runner.messages import Assignment, LogEntry, Stream, Timings, Usage, rfc3339
from skerry_runner.outcomes import Ending, Facts, Memory, Outcome, Raised, Returned, decide_outcome
from skerry_runner.requests import Exchange
from skerry_runner.surroundings import Host, Surroundings
from skerry_runner.waits import Waits

# `complete` carries the start as well: a run that is over sooner than this needs no `started` of its own.
STARTED_AFTER_SECONDS = 0.005
# Larger results go over HTTP, so that they do not hold up everybody else's messages.
UPLOAD_BYTES = 256 * 1024


class Attempt:
    """One try of a run."""

    def __init__(self, assignment: Assignment, surroundings: Surroundings) -> None:
        """Begin an attempt that has just been assigned."""
        self.id = assignment["attempt"]
        self.token = assignment["token"]
        self.assignment = assignment
        self.host: Host | None = None
        self.ending: Ending | None = None
        self.memory: Memory | None = None
        self.settled = False
        self.complete_seq: int | None = None
        self.outcome: Outcome | None = None
        self._superseded = False
        self.timeout = assignment["timeout_seconds"]
        self.book = LogBook(surroundings.limits, self._send_logs, self._echo)
        self._around = surroundings
        self._loop = asyncio.get_running_loop()
        self._received = time.monotonic()
        self._started_at: float | None = None
        self._started_timer: asyncio.TimerHandle | None = None
        self._timings: Timings = {}
        self._seq = 0
        self._calls: Calls | None = None
        self._waits: Waits | None = None
        self._deadline = self._deadline_timer()

    @property
    def calls(self) -> Calls:
        """The child calls, made when first needed: most runs have none."""
        if self._calls is None:
            self._calls = Calls(self, self._around.limits)
        return self._calls

    @property
    def waits(self) -> Waits:
        """The waits for children."""
        if self._waits is None:
            self._waits = Waits(self, self.calls.known)
        return self._waits

    @property
    def waiting(self) -> bool:
        """Whether the attempt only waits for children."""
        return self._waits is not None and self._waits.waiting

    # Beginning.

    def answer_input(self, exchange: Exchange, unheard_seconds: float = 0.0) -> None:
        """Give the process its input, and hear nothing of it on this connection for `unheard_seconds`."""
        assignment = self.assignment
        text = assignment["input"]
        assert text is not None, "an input that lives elsewhere is fetched before the attempt is placed"
        answer = {
            "task_name": assignment["task"],
            "input": base64_of(text),
            "task_run_id": assignment["run"],
            "root_task_run_id": assignment["root"],
            "parent_task_run_id": assignment["parent"] or "",
            "attempt": self.id,
            "attempt_number": assignment["attempt_number"],
            "deadline": assignment["deadline"],
            "timeout_seconds": self.timeout,
            "traceparent": assignment["traceparent"],
            "metadata": assignment["metadata"],
            "plan": assignment["plan"] and assignment["plan"]["name"],
            "workflow": assignment["workflow"],
        }
        exchange.answer_json(answer, unheard_seconds)

    def begin(self, import_seconds: float | None, unheard_seconds: float = 0.0) -> None:
        """User code has its input, and its timeout counts, from now on. What it says is not heard for `unheard_seconds`."""
        if self._started_at is not None:
            return
        self._started_at = time.time()
        self._timings["start_seconds"] = round(time.monotonic() - self._received, 6)
        if import_seconds is not None:
            self._timings["import_seconds"] = round(import_seconds, 6)
        if self._deadline is not None and self._timings["start_seconds"] > STARTED_AFTER_SECONDS:
            self._deadline.cancel()
            self._deadline = self._deadline_timer()
        self._started_timer = self._loop.call_later(STARTED_AFTER_SECONDS + unheard_seconds, self._send_started)

    def take_lines(self, stream: Stream, lines: list[bytes]) -> None:
        """Take lines of output."""
        self.book.add(stream, lines)

    # Ending.

    def end(self, ending: Ending, grace_seconds: float) -> None:
        """End the attempt from outside; the first reason stands."""
        if self.settled or self.ending is not None:
            return
        self.ending = ending
        if self.host is None:
            self.settle()
        else:
            self.host.stop(self, grace_seconds)

    def supersede(self) -> None:
        """The control plane gave the run to another attempt: nothing of this one counts any more."""
        self._superseded = True
        if not self.settled:
            self._close()
        self._around.outbox.forget(self.id)

    def settle(
        self,
        *,
        callback: Returned | Raised | None = None,
        wait_status: int | None = None,
        asked_input: bool = True,
        lost: str | None = None,
        broken: Raised | None = None,
        usage: Usage | None = None,
    ) -> None:
        """Decide how the attempt ended and report it, once."""
        if self.settled:
            return
        limit = self._around.limits.result_bytes
        facts = Facts(
            callback,
            self.ending,
            wait_status,
            asked_input,
            self.memory,
            lost,
            broken,
            self.timeout,
            limit,
            self.book.tail,
        )
        outcome = decide_outcome(facts)
        if usage is None:
            usage = self.host.usage() if self.host is not None else Usage(cpu_seconds=0.0, max_rss_bytes=0)
        finished_at = time.time()
        self._close()
        self.book.close()
        if outcome.result is not None and len(outcome.result) > UPLOAD_BYTES:
            self._around.upload(
                self,
                outcome.result,
                lambda final, uploaded: self._complete(final, usage, finished_at, uploaded=uploaded),
            )
        else:
            self._complete(outcome, usage, finished_at)

    def settle_quietly(self) -> None:
        """The runner leaves in a hurry: nothing is reported."""
        if not self.settled:
            self._close()

    def _close(self) -> None:
        self.settled = True
        for timer in (self._deadline, self._started_timer):
            if timer is not None:
                timer.cancel()
        if self._waits is not None:
            self._waits.close()
        self._around.settled(self)

    def _complete(self, outcome: Outcome, usage: Usage, finished_at: float, *, uploaded: bool = False) -> None:
        if self._superseded:
            return
        self.outcome = outcome
        self.complete_seq = self._next_seq()
        message: dict[str, Any] = {
            "type": "complete",
            "attempt": self.id,
            "token": self.token,
            "seq": self.complete_seq,
            "started_at": None if self._started_at is None else rfc3339(self._started_at),
            "finished_at": rfc3339(finished_at),
            "outcome": {
                "status": outcome.status,
                "result": None if uploaded else outcome.result,
                "error": outcome.error,
                "reason": outcome.reason,
            },
            "usage": usage,
            "timings": self._timings,
        }
        if uploaded:
            message["result_uploaded"] = True
        if outcome.status == "failed":
            log.info("attempt_failed", run=self.assignment["run"], attempt=self.id, reason=outcome.reason)
        self._around.outbox.keep(self.id, self.complete_seq, orjson.dumps(message))

    # Messages.

    def send_spawn(self, call: str, task: str, input_text: str, options: dict[str, Any]) -> None:
        """Ask for a child run."""
        self._send_started()
        message = {
            "type": "spawn",
            "attempt": self.id,
            "token": self.token,
            "call": call,
            "task": task,
            "input": input_text,
            "options": options,
        }
        self._around.outbox.keep(self.id, call, orjson.dumps(message))

    def send_cancel_child(self, run: str) -> None:
        """Ask for the cancellation of a child run."""
        message = {"type": "cancel_child", "attempt": self.id, "token": self.token, "run": run}
        self._around.outbox.post(orjson.dumps(message))

    def send_waiting(self, waiting: bool) -> None:
        """Say whether the attempt only waits for children."""
        self._send_started()
        message = {"type": "waiting", "attempt": self.id, "token": self.token, "waiting": waiting}
        self._around.outbox.post(orjson.dumps(message))

    def slots_are_busy(self) -> bool:
        """Whether somebody could use this attempt's place at once."""
        return self._around.busy()

    def _send_started(self) -> None:
        if self._started_timer is None or self._started_at is None:
            return
        self._started_timer.cancel()
        self._started_timer = None
        seq = self._next_seq()
        message = {
            "type": "started",
            "attempt": self.id,
            "token": self.token,
            "seq": seq,
            "started_at": rfc3339(self._started_at),
            "timings": self._timings,
        }
        self._around.outbox.keep(self.id, seq, orjson.dumps(message))

    def _send_logs(self, entries: list[LogEntry]) -> bool:
        if self._superseded:
            return True
        seq = self._next_seq()
        message = {"type": "logs", "attempt": self.id, "token": self.token, "seq": seq, "entries": entries}
        if self.complete_seq is not None:
            # Last words of a process that lingers: welcome, but no reason to remember the attempt.
            self._around.outbox.post(orjson.dumps(message))
            return True
        return self._around.outbox.keep_logs(self.id, seq, orjson.dumps(message))

    def _echo(self, entries: list[LogEntry]) -> None:
        labels = {"run": self.assignment["run"], "attempt": self.id, "task": self.assignment["task"]}
        echo_for(self._around.echo, labels)(entries)

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def _deadline_timer(self) -> asyncio.TimerHandle | None:
        if self.timeout is None:
            return None
        return self._loop.call_later(self.timeout, self.end, "timeout", self._around.grace_seconds)
