"""The children of an attempt in an event loop: one turn of the loop shares a request, all waits share one long-poll."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

from skerry.children import ChildCall, Outcome
from skerry.handles import WAIT_SECONDS
from skerry.runtime.children import calls_body, started_or_error, wait_body
from skerry.runtime.connections import LoopClient
from skerry.runtime.messages import json_bytes

# Each long-poll names everybody waited for. With very many children a short pause lets more of them finish per poll:
# 10 µs for each.
_PAUSE_SECONDS_PER_CHILD = 0.00001
_LONGEST_PAUSE_SECONDS = 0.05
_MOST_CALLS_PER_REQUEST = 500


class LoopChildren:
    """Batches calls and waits of one attempt in one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, path: str, attempt: str | None) -> None:
        """Speak to the runner at `path`."""
        self.loop = loop
        self._client = LoopClient(loop, path, attempt)
        self._calls: list[tuple[ChildCall, asyncio.Future[str]]] = []
        self._waited: dict[str, asyncio.Future[Outcome]] = {}
        self._poll: asyncio.Task[None] | None = None
        self._exchange: asyncio.Task[Mapping[str, Outcome]] | None = None
        self._background: set[asyncio.Task[None]] = set()
        self._ended = False

    # Starting

    def start(self, call: ChildCall) -> asyncio.Future[str]:
        """The id of the run that `call` starts; sent at the end of this turn of the loop."""
        if not self._calls:
            self.loop.call_soon(self._send_calls)
        started: asyncio.Future[str] = self.loop.create_future()
        self._calls.append((call, started))
        return started

    def _send_calls(self) -> None:
        calls, self._calls = self._calls, []
        for first in range(0, len(calls), _MOST_CALLS_PER_REQUEST):
            self._in_background(self._send(calls[first : first + _MOST_CALLS_PER_REQUEST]))

    async def _send(self, calls: list[tuple[ChildCall, asyncio.Future[str]]]) -> None:
        try:
            answer = await self._client.request("POST", "/run-subtasks", calls_body([call for call, _ in calls]))
            results = [started_or_error(result) for result in answer["results"]]
        except BaseException as error:
            for _, started in calls:
                _settle(started, error if isinstance(error, Exception) else asyncio.CancelledError())
            if not isinstance(error, Exception):
                raise
            return
        for (_, started), result in zip(calls, results, strict=True):
            _settle(started, result)

    # Waiting

    def outcome(self, run_id: str) -> asyncio.Future[Outcome]:
        """What becomes of `run_id`. Giving up on one waiter does not disturb the others."""
        shared = self._waited.get(run_id)
        if shared is None:
            shared = self._waited[run_id] = self.loop.create_future()
            self._watch()
        return asyncio.shield(shared)

    def _watch(self) -> None:
        if self._poll is None:
            self._poll = self.loop.create_task(self._poll_until_done())
        elif self._exchange is not None:
            # The poll under way does not know the new run: the next one, at the end of this turn, asks for both.
            self._exchange.cancel()
            self._exchange = None

    async def _poll_until_done(self) -> None:
        try:
            while self._waited and not self._ended:
                for run_id, outcome in (await self._next_outcomes()).items():
                    shared = self._waited.pop(run_id, None)
                    if shared is not None:
                        _settle(shared, outcome)
                await asyncio.sleep(min(_LONGEST_PAUSE_SECONDS, len(self._waited) * _PAUSE_SECONDS_PER_CHILD))
        except Exception as error:
            for shared in self._waited.values():
                _settle(shared, error)
            self._waited.clear()
        finally:
            self._poll = None

    async def _next_outcomes(self) -> Mapping[str, Outcome]:
        exchange = self._exchange = self.loop.create_task(self._ask(list(self._waited)))
        try:
            return await exchange
        except asyncio.CancelledError:
            if self._exchange is exchange:
                exchange.cancel()
                raise
            return {}
        finally:
            if self._exchange is exchange:
                self._exchange = None

    async def _ask(self, run_ids: list[str]) -> Mapping[str, Outcome]:
        body = wait_body(run_ids, WAIT_SECONDS)
        answer = await self._client.request("POST", "/get-subtask-results", body, wait_seconds=WAIT_SECONDS)
        outcomes: Mapping[str, Outcome] = answer["results"]
        return outcomes

    # Canceling and ending

    def cancel(self, run_id: str) -> None:
        """Cancel `run_id` in the background."""
        self._in_background(self._cancel(run_id))

    async def _cancel(self, run_id: str) -> None:
        await self._client.request("POST", "/cancel-subtask", json_bytes({"task_run_id": run_id}))

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def settle(self) -> None:
        """Wait for calls and cancellations that are under way, stop waiting for outcomes, hang up."""
        if self._calls:
            await asyncio.sleep(0)
        while self._background:
            await asyncio.wait(list(self._background))
        self._ended = True
        if self._poll is not None:
            self._poll.cancel()
        self._client.close()


def _settle(future: asyncio.Future[Any], result: Any) -> None:
    if future.done():
        return
    if isinstance(result, asyncio.CancelledError):
        future.cancel()
    elif isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
