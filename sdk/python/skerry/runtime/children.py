"""Child runs over the runner's socket: calls of one turn of the event loop share a request, waits share a long-poll."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from skerry.children import ChildCall, Outcome
from skerry.errors import ApiError, error_for_status
from skerry.runtime.messages import json_bytes
from skerry.runtime.sockets import SocketClient

if TYPE_CHECKING:
    import asyncio

    from skerry.runtime.gatherings import LoopChildren


class ChildRuns:
    """The children of one attempt (see `skerry.children.Children`)."""

    def __init__(self, path: str, client: SocketClient, attempt: str | None = None) -> None:
        """Speak to the runner at `path`: through `client` when blocking, through connections of its own in an event loop."""
        self._path = path
        self._client = client
        self._attempt = attempt
        self._numbers = itertools.count(1)
        self._in_loop: LoopChildren | None = None

    def next_key(self, task: str) -> str:
        """`1:task`, `2:task`, … in the order of the calls."""
        return f"{next(self._numbers)}:{task}"

    def start(self, calls: Sequence[ChildCall]) -> list[str]:
        """Start `calls` with one request.

        Raises:
            ApiError: one of them was refused. The others are canceled.
        """
        answer = self._client.request("POST", "/run-subtasks", calls_body(calls))
        started = [started_or_error(result) for result in answer["results"]]
        refused = next((result for result in started if isinstance(result, ApiError)), None)
        if refused is None:
            return [run_id for run_id in started if isinstance(run_id, str)]
        for run_id in started:
            if isinstance(run_id, str):
                self.cancel(run_id)
        raise refused

    def wait(self, run_ids: Sequence[str], seconds: float) -> Mapping[str, Outcome]:
        """One long-poll for all of `run_ids`."""
        body = wait_body(run_ids, seconds)
        answer: Mapping[str, Outcome] = self._client.request(
            "POST", "/get-subtask-results", body, wait_seconds=seconds
        )["results"]
        return answer

    def cancel(self, run_id: str) -> None:
        """Cancel one child."""
        self._client.request("POST", "/cancel-subtask", json_bytes({"task_run_id": run_id}))

    def start_soon(self, call: ChildCall) -> asyncio.Future[str]:
        """Start `call` with the others of this turn of the event loop."""
        return self._loop_children().start(call)

    def outcome_soon(self, run_id: str) -> asyncio.Future[Outcome]:
        """Wait for `run_id` with the others that are waited for."""
        return self._loop_children().outcome(run_id)

    def cancel_soon(self, run_id: str) -> None:
        """Cancel one child in the background."""
        self._loop_children().cancel(run_id)

    def _loop_children(self) -> LoopChildren:
        import asyncio

        from skerry.runtime.gatherings import LoopChildren

        loop = asyncio.get_running_loop()
        if self._in_loop is None or self._in_loop.loop is not loop:
            self._in_loop = LoopChildren(loop, self._path, self._attempt)
        return self._in_loop

    @property
    def is_used_in_loop(self) -> bool:
        """Whether there may be something to settle."""
        return self._in_loop is not None

    async def settle(self) -> None:
        """Finish what is under way in the event loop: calls and cancellations nobody waits for."""
        if self._in_loop is not None:
            await self._in_loop.settle()


def calls_body(calls: Sequence[ChildCall]) -> bytes:
    """The body of /run-subtasks."""
    return json_bytes({"calls": [call.to_socket() for call in calls]})


def wait_body(run_ids: Sequence[str], seconds: float) -> bytes:
    """The body of /get-subtask-results."""
    return json_bytes({"task_run_ids": list(run_ids), "wait_seconds": seconds})


def started_or_error(result: Mapping[str, Any]) -> str | ApiError:
    """One answer of /run-subtasks: the new run's id, or why there is none."""
    if "error" in result:
        error = result["error"]
        return error_for_status(int(error.get("status") or 400), error)
    run_id: str = result["task_run_id"]
    return run_id
