"""Worker mode: many runs at once in one process, for high rates of trusted code.

SKERRY_WORKER_CONCURRENCY lanes each hold one `GET /input` open, run what comes and report it on the same connection.
`async def` tasks run in the event loop, `def` tasks in threads. Context variables say which run a piece of code
belongs to; a run's variables end with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import ctypes
import os
import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from skerry.apps import Workflows
from skerry.contexts import ActiveRun, TaskContext, activate
from skerry.errors import ConfigurationError, ConnectionFailed
from skerry.runtime import tracing
from skerry.runtime.attempts import Terminated, failed, prepared, succeeded
from skerry.runtime.children import ChildRuns
from skerry.runtime.connections import LoopClient, LoopConnection
from skerry.runtime.messages import json_bytes, request_bytes, retry_delays
from skerry.runtime.sockets import SocketClient
from skerry.runtime.tags import TaggedStreams
from skerry.tasks import Task

DEFAULT_CONCURRENCY = 100
_CANCELLATION_WAIT_SECONDS = 30.0
_INPUT_REQUEST = request_bytes("GET", "/input")
_CANCELED = json_bytes({"error": {"details": "the run was canceled", "type": "RunCanceled", "retryable": False}})


def serve(load: Callable[[], Workflows], path: str) -> int:
    """Import the program with `load` and serve runs until SIGTERM; the exit status for the process."""
    streams = TaggedStreams()
    streams.install()
    app = load()
    for task in app:
        task.signature  # noqa: B018 - reading it compiles it
    return asyncio.run(Worker(app, path, concurrency(), streams).run())


def concurrency() -> int:
    """How many runs at once.

    Raises:
        ConfigurationError: SKERRY_WORKER_CONCURRENCY is not a number above 0.
    """
    text = os.environ.get("SKERRY_WORKER_CONCURRENCY") or str(DEFAULT_CONCURRENCY)
    if not text.isdigit() or int(text) < 1:
        raise ConfigurationError(f"SKERRY_WORKER_CONCURRENCY must be a number above 0, got {text!r}")
    return int(text)


class Worker:
    """The lanes of one worker process."""

    def __init__(self, app: Workflows, path: str, lanes: int, streams: TaggedStreams) -> None:
        """Serve the tasks of `app` to the runner at `path`."""
        self._app = app
        self._path = path
        self._lanes = lanes
        self._streams = streams
        self._threads = ThreadPoolExecutor(lanes, thread_name_prefix="skerry")
        self._running: dict[str, Callable[[], object]] = {}

    async def run(self) -> int:
        """Serve until SIGTERM, or until the runner is gone for good."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        work = [loop.create_task(self._lane(loop)) for _ in range(self._lanes)]
        work.append(loop.create_task(self._listen_for_cancellations(loop)))
        stopped = loop.create_task(stop.wait())
        done, pending = await asyncio.wait([*work, stopped], return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for cancel in self._running.values():
            cancel()
        for task in done:
            task.result()
        return 0

    async def _lane(self, loop: asyncio.AbstractEventLoop) -> None:
        connection = None
        while True:
            connection, assignment = await self._next_assignment(loop, connection)
            context = TaskContext.from_assignment(assignment)
            body = await self._outcome(loop, context, assignment)
            self._streams.end(context.attempt_id)
            await self._report(loop, connection, context.attempt_id, body)

    async def _next_assignment(
        self, loop: asyncio.AbstractEventLoop, connection: LoopConnection | None
    ) -> tuple[LoopConnection, Mapping[str, Any]]:
        for delay in retry_delays():
            try:
                if connection is None or not connection.is_open:
                    connection = await LoopConnection.open(loop, self._path)
                response = await connection.request(_INPUT_REQUEST)
                if not response.may_be_retried:
                    return connection, response.json()
            except (ConnectionRefusedError, FileNotFoundError):
                # Nobody listens: unlike a server across a network, this runner will not come back.
                break
            except OSError:
                connection = None
            await asyncio.sleep(delay)
        raise ConnectionFailed(f"the runner at {self._path} is gone")

    async def _outcome(
        self, loop: asyncio.AbstractEventLoop, context: TaskContext, assignment: Mapping[str, Any]
    ) -> bytes:
        """Run one attempt to its callback, in a context of its own."""
        attempt = context.attempt_id
        children = ChildRuns(self._path, SocketClient(self._path, attempt), attempt)
        run = ActiveRun(context, children)
        try:
            task, args, kwargs = prepared(self._app, assignment)
            execute = self._in_loop if task.is_async else self._in_thread
            value = await execute(loop, task, run, args, kwargs)
            return succeeded(task.signature.encode_result(value))
        except (asyncio.CancelledError, Terminated):
            lane = asyncio.current_task()
            if lane is not None and lane.cancelling():
                raise
            return _CANCELED
        except BaseException as error:
            return failed(error)
        finally:
            self._running.pop(attempt, None)
            if children.is_used_in_loop:
                await children.settle()

    async def _in_loop(
        self,
        loop: asyncio.AbstractEventLoop,
        task: Task[..., Any],
        run: ActiveRun,
        args: list[Any],
        kwargs: dict[str, Any],
    ) -> Any:
        async def body() -> Any:
            activate(run)
            with tracing.continued(run.context.traceparent):
                return await task.invoke(run.context, args, kwargs)

        work = loop.create_task(body())
        self._running[run.context.attempt_id] = work.cancel
        return await work

    async def _in_thread(
        self,
        loop: asyncio.AbstractEventLoop,
        task: Task[..., Any],
        run: ActiveRun,
        args: list[Any],
        kwargs: dict[str, Any],
    ) -> Any:
        attempt = run.context.attempt_id

        def body() -> Any:
            activate(run)
            thread = threading.get_ident()
            self._running[attempt] = lambda: _raise_in(thread, Terminated)
            try:
                with tracing.continued(run.context.traceparent):
                    return task.invoke(run.context, args, kwargs)
            finally:
                self._running.pop(attempt, None)

        return await loop.run_in_executor(self._threads, contextvars.copy_context().run, body)

    async def _report(
        self, loop: asyncio.AbstractEventLoop, connection: LoopConnection, attempt: str, body: bytes
    ) -> None:
        """Post the outcome on the lane's own connection, or patiently on another if that breaks."""
        if connection.is_open:
            with contextlib.suppress(OSError):
                response = await connection.request(request_bytes("POST", "/callback", body, attempt))
                if not response.may_be_retried:
                    response.json()
                    return
        client = LoopClient(loop, self._path, attempt)
        try:
            await client.request("POST", "/callback", body)
        finally:
            client.close()

    async def _listen_for_cancellations(self, loop: asyncio.AbstractEventLoop) -> None:
        client = LoopClient(loop, self._path)
        while True:
            answer = await client.request("GET", "/cancellations", wait_seconds=_CANCELLATION_WAIT_SECONDS)
            for attempt in answer.get("attempts", ()):
                cancel = self._running.get(attempt)
                if cancel is not None:
                    cancel()


def _raise_in(thread: int, kind: type[BaseException]) -> None:
    """Raise `kind` in another thread, at its next bytecode; a blocking call in C ends first."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(kind))
