"""Asking the application which tasks it has."""

from __future__ import annotations

import asyncio
import re
import signal
from collections import deque
from collections.abc import Callable
from typing import Any

from skerry_runner import routes
from skerry_runner.attempts import Attempt
from skerry_runner.events import log
from skerry_runner.messages import Stream
from skerry_runner.outcomes import Raised, Returned, describe_status
from skerry_runner.requests import EMPTY, Exchange
from skerry_runner.slots import Exit, Slot

REGISTER_SECONDS = 30.0
_TAIL_LINES = 200
_LINGER_SECONDS = 2.0
# The last line of a Python traceback: a dotted class name, then the message.
_EXCEPTION = re.compile(r"^([A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning))(?:: (.*))?$")


class RegisterTenant:
    """A process that names its tasks and exits."""

    def __init__(self, slot: Slot, report: Callable[[dict[str, Any]], None]) -> None:
        """Occupy `slot`; `report` gets `{"tasks": …}` or `{"error": …}`, once."""
        self.slot = slot
        self._report = report
        self._reported = False
        self._timed_out = False
        self._stderr: deque[str] = deque(maxlen=_TAIL_LINES)
        self._timer = asyncio.get_running_loop().call_later(REGISTER_SECONDS, self._time_out)
        slot.occupy(self)

    def handle(self, exchange: Exchange) -> None:
        """Serve a request."""
        routes.serve(self, exchange)

    def take_lines(self, stream: Stream, lines: list[bytes]) -> None:
        """Keep what may explain a failure; all of it goes to the runner's log."""
        for line in lines:
            text = line.decode("utf-8", "replace")
            log.info("register_output", stream=stream, line=text)
            if stream == "stderr":
                self._stderr.append(text)

    def expects_more(self) -> bool:
        """The tasks may still be unread."""
        return not self._reported

    def exited(self, end: Exit) -> None:
        """The process is dead; without tasks, registration has failed."""
        self._timer.cancel()
        if self._reported:
            return
        self._reported = True
        self._report({"error": self._error(end)})

    def attempt_of(self, exchange: Exchange) -> Attempt | None:
        """There is no attempt."""
        return None

    def give_input(self, exchange: Exchange) -> None:
        """There is no input."""
        exchange.refuse(409, "registering", "this process is to register its tasks: SKERRY_SDK_MODE is register")

    def take_callback(self, exchange: Exchange, attempt: Attempt, callback: Returned | Raised) -> None:
        """There is no attempt to call back for."""
        exchange.refuse(409, "registering", "this process is to register its tasks: SKERRY_SDK_MODE is register")

    def take_tasks(self, exchange: Exchange, tasks: list[dict[str, Any]]) -> None:
        """The tasks."""
        exchange.answer(200, EMPTY)
        if not self._reported:
            self._reported = True
            self._report({"tasks": tasks})
            self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(_LINGER_SECONDS, self.slot.kill, signal.SIGKILL)

    def give_cancellations(self, exchange: Exchange) -> None:
        """There is nothing to cancel."""
        exchange.refuse(404, "not_found", "cancellations are for worker mode")

    def _time_out(self) -> None:
        self._timed_out = True
        self.slot.kill(signal.SIGKILL)

    def _error(self, end: Exit) -> dict[str, Any]:
        tail = "\n".join(self._stderr)
        kind, message = "RegistrationFailed", f"the process {describe_status(end.status)} without registering any tasks"
        if end.lost is not None:
            message = end.lost
        elif self._timed_out:
            kind, message = "RegistrationTimeout", f"no tasks were registered within {REGISTER_SECONDS:g} s"
        else:
            raised = next((found for line in reversed(self._stderr) if (found := _EXCEPTION.match(line.strip()))), None)
            if raised is not None:
                kind, message = raised[1], raised[2] or raised[1]
            elif tail:
                message += f": {next((line for line in reversed(self._stderr) if line.strip()), '')}"
        return {"type": kind, "message": message, "stack_trace": tail or None}
