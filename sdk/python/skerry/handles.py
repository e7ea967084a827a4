"""Handles: runs that were started and can be waited for later."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from skerry.children import Children, result_of
from skerry.contexts import loop_is_running
from skerry.errors import OutsideRun, WaitTimeout

if TYPE_CHECKING:
    import asyncio

    from skerry.signatures import Signature

T = TypeVar("T")

# One request waits this long on the runner; a wait without a limit is many of them.
WAIT_SECONDS = 10.0


class Handle(ABC, Generic[T]):
    """A run that was started. In an event loop `await` it; elsewhere call `result()`.

    Waiting twice gives the same result. Stopping to wait does not stop the run; `cancel()` does.
    """

    @property
    @abstractmethod
    def run_id(self) -> str:
        """The run's id. In an event loop it is known once `await handle.started()` returned."""

    @abstractmethod
    async def started(self) -> str:
        """Wait until the platform accepted the run; its id."""

    @abstractmethod
    def __await__(self) -> Generator[Any, None, T]:
        """Wait for the result.

        Raises:
            TaskRunError: the run failed, timed out or was canceled.
        """

    @abstractmethod
    def result(self, timeout_seconds: float | None = None) -> T:
        """Block until the result is there.

        Raises:
            TaskRunError: the run failed, timed out or was canceled.
            WaitTimeout: it did not finish within `timeout_seconds`; it goes on.
        """

    @abstractmethod
    def cancel(self) -> None:
        """Cancel the run and everything it started. In an event loop the request is sent in the background."""


def _refuse_to_block() -> None:
    if loop_is_running():
        raise OutsideRun("result() would block the event loop; use `await handle`")


class LoopHandle(Handle[T]):
    """A child that was started from an event loop."""

    def __init__(self, children: Children, signature: Signature, started: asyncio.Future[str]) -> None:
        """Follow the run whose id `started` will be."""
        self._children = children
        self._signature = signature
        self._started = started

    @property
    def run_id(self) -> str:
        """The run's id, once it is known."""
        if not self._started.done():
            raise OutsideRun("the run has no id yet; `await handle.started()` first")
        return self._started.result()

    async def started(self) -> str:
        """Wait until the runner accepted the run; its id."""
        import asyncio

        return await asyncio.shield(self._started)

    def __await__(self) -> Generator[Any, None, T]:
        return self._wait().__await__()

    async def _wait(self) -> T:
        run_id = self._started.result() if self._started.done() else await self.started()
        value: T = result_of(self._signature, run_id, await self._children.outcome_soon(run_id))
        return value

    def result(self, timeout_seconds: float | None = None) -> T:
        """Not here: an event loop must not block."""
        _refuse_to_block()
        return BlockingHandle[T](self._children, self._signature, self.run_id).result(timeout_seconds)

    def cancel(self) -> None:
        """Cancel the run in the background, also if the runner has not accepted it yet."""
        self._started.add_done_callback(self._cancel_started)

    def _cancel_started(self, started: asyncio.Future[str]) -> None:
        if not started.cancelled() and started.exception() is None:
            self._children.cancel_soon(started.result())


class BlockingHandle(Handle[T]):
    """A child that was started without an event loop."""

    def __init__(self, children: Children, signature: Signature, run_id: str) -> None:
        """Follow the run `run_id`."""
        self._children = children
        self._signature = signature
        self._run_id = run_id

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._run_id

    async def started(self) -> str:
        """The run's id, at once."""
        return self._run_id

    def __await__(self) -> Generator[Any, None, T]:
        outcome = yield from self._children.outcome_soon(self._run_id).__await__()
        value: T = result_of(self._signature, self._run_id, outcome)
        return value

    def result(self, timeout_seconds: float | None = None) -> T:
        """Block until the result is there."""
        _refuse_to_block()
        end = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while True:
            patience = WAIT_SECONDS if end is None else min(WAIT_SECONDS, max(0.0, end - time.monotonic()))
            outcomes = self._children.wait([self._run_id], patience)
            if self._run_id in outcomes:
                value: T = result_of(self._signature, self._run_id, outcomes[self._run_id])
                return value
            if end is not None and time.monotonic() >= end:
                raise WaitTimeout(f"run {self._run_id} did not finish within {timeout_seconds:g} s")

    def cancel(self) -> None:
        """Cancel the run."""
        self._children.cancel(self._run_id)


class LocalHandle(Handle[T]):
    """A task that runs in this process: at once, or as an asyncio task if it is an `async def` in a running loop."""

    def __init__(self, run_id: str, compute: Callable[[], Any], is_async: bool) -> None:
        """Start `compute`, whose result is a coroutine if `is_async`."""
        self._run_id = run_id
        self._pending: asyncio.Future[T] | None = None
        self._value: Any = None
        self._error: BaseException | None = None
        if is_async and loop_is_running():
            import asyncio

            self._pending = asyncio.ensure_future(compute())
            return
        try:
            self._value = _run_to_end(compute()) if is_async else compute()
        except Exception as error:
            self._error = error

    @property
    def run_id(self) -> str:
        """An id made up for this process."""
        return self._run_id

    async def started(self) -> str:
        """The run's id, at once."""
        return self._run_id

    def __await__(self) -> Generator[Any, None, T]:
        if self._pending is None:
            return self._finished()
        return (yield from self._pending.__await__())

    def _finished(self) -> T:
        if self._error is not None:
            raise self._error
        value: T = self._value
        return value

    def result(self, timeout_seconds: float | None = None) -> T:
        """The result, which is there already."""
        if self._pending is not None:
            _refuse_to_block()
        return self._finished()

    def cancel(self) -> None:
        """Cancel the asyncio task, if it has not finished."""
        if self._pending is not None:
            self._pending.cancel()


def _run_to_end(coroutine: Any) -> Any:
    import asyncio

    return asyncio.run(coroutine)
