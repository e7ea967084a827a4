"""One attempt in a process of its own: fetch the input, call the function, report the outcome."""

from __future__ import annotations

import atexit
import binascii
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from skerry.contexts import ActiveRun, TaskContext, activate_process
from skerry.errors import InvalidInput
from skerry.runtime import tracing
from skerry.runtime.children import ChildRuns
from skerry.runtime.failures import failure_of
from skerry.runtime.messages import json_bytes, request_bytes, retry_delays
from skerry.runtime.sockets import Connection, SocketClient

if TYPE_CHECKING:
    import asyncio

    from skerry.apps import Workflows
    from skerry.tasks import Task

STANDBY_SECONDS = 0.003
_TERMINATED = 128 + signal.SIGTERM


class Terminated(SystemExit):
    """Raised in a `def` task when its run is stopped: `finally` blocks run, `except Exception` does not keep it alive."""


def serve(app: Workflows, path: str) -> int:
    """Wait for an attempt at the socket `path`, run it and report its outcome; the exit status for the process."""
    loop = _Loop()
    connection, assignment = _await_assignment(app, path, loop)
    context = TaskContext.from_assignment(assignment)
    client = SocketClient(path, connection=connection)
    run = ActiveRun(context, ChildRuns(path, client))
    activate_process(run)
    try:
        body = _outcome(app, run, assignment, loop)
    except (Terminated, KeyboardInterrupt):
        # The runner stopped this attempt and knows its outcome.
        return _TERMINATED
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        flush_output()
    client.request("POST", "/callback", body)
    _finish(loop.made)
    return 0


class _Loop:
    """An event loop that is made when it is needed, or before."""

    __slots__ = ("made",)

    def __init__(self) -> None:
        self.made: asyncio.AbstractEventLoop | None = None

    def ready(self) -> asyncio.AbstractEventLoop:
        if self.made is None:
            import asyncio

            self.made = asyncio.new_event_loop()
        return self.made


def _await_assignment(app: Workflows, path: str, loop: _Loop) -> tuple[Connection, Mapping[str, Any]]:
    """Ask for the input, and while nothing is there yet get ready for it."""
    for delay in retry_delays():
        try:
            connection = Connection(path)
            connection.send(request_bytes("GET", "/input"), None)
            # A process that stands by has time for a loop; one whose run waits already makes it only if it needs it.
            if _is_mostly_async(app) and not connection.is_answered(within_seconds=STANDBY_SECONDS):
                loop.ready()
            response = connection.receive()
            if not response.may_be_retried:
                return connection, response.json()
        except OSError as error:
            problem = error
        time.sleep(delay)
    raise SystemExit(f"the runner at {path} gave no input: {problem}")


def _is_mostly_async(app: Workflows) -> bool:
    return sum(1 if task.is_async else -1 for task in app) >= 0


def _outcome(app: Workflows, run: ActiveRun, assignment: Mapping[str, Any], loop: _Loop) -> bytes:
    """The callback for this run: whatever the function returns or raises."""
    try:
        task, args, kwargs = prepared(app, assignment)
        with tracing.continued(run.context.traceparent):
            if task.is_async:
                value = _run_in_loop(loop.ready(), task.invoke(run.context, args, kwargs), run)
            else:
                signal.signal(signal.SIGTERM, _raise_terminated)
                value = task.invoke(run.context, args, kwargs)
        return succeeded(task.signature.encode_result(value))
    except (Terminated, KeyboardInterrupt):
        raise
    except BaseException as error:
        return failed(error)


def prepared(app: Workflows, assignment: Mapping[str, Any]) -> tuple[Task[..., Any], list[Any], dict[str, Any]]:
    """The task of an assignment, and its arguments rebuilt from JSON.

    Raises:
        InvalidInput: there is no such task, or the arguments do not fit its parameters.
    """
    name = assignment["task_name"]
    task = app.tasks.get(name)
    if task is None:
        raise InvalidInput(f"this version has no task {name!r}; it has: {', '.join(app.tasks)}")
    text = binascii.a2b_base64(assignment.get("input") or "")
    args, kwargs = task.signature.decode_call(json.loads(text) if text else [])
    return task, args, kwargs


def succeeded(result: bytes) -> bytes:
    """The callback for a result, given as JSON text."""
    return b'{"complete":{"output":"' + binascii.b2a_base64(result, newline=False) + b'"}}'


def failed(error: BaseException) -> bytes:
    """The callback for an exception."""
    return json_bytes({"error": failure_of(error)})


def _raise_terminated(signum: int, frame: object) -> None:
    raise Terminated(_TERMINATED)


def _run_in_loop(loop: asyncio.AbstractEventLoop, coroutine: Any, run: ActiveRun) -> Any:
    """What asyncio.run does, with a loop that is there already; SIGTERM cancels the task."""
    import asyncio

    asyncio.set_event_loop(loop)
    main = loop.create_task(coroutine)
    signal.signal(signal.SIGTERM, lambda signum, frame: loop.call_soon_threadsafe(main.cancel))
    stopped = False

    def remember(done: asyncio.Task[Any]) -> None:
        nonlocal stopped
        stopped = done.cancelled()

    main.add_done_callback(remember)
    try:
        return loop.run_until_complete(main)
    except asyncio.CancelledError:
        if stopped:
            raise Terminated(_TERMINATED) from None
        raise
    finally:
        if isinstance(run.children, ChildRuns) and run.children.is_used_in_loop:
            loop.run_until_complete(run.children.settle())
        leftover = asyncio.all_tasks(loop)
        if leftover:
            loop.run_until_complete(_canceled(leftover))


async def _canceled(tasks: set[asyncio.Task[Any]]) -> None:
    import asyncio

    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _finish(loop: asyncio.AbstractEventLoop | None) -> None:
    """Clean up as an interpreter does at its end; the outcome is reported, so nobody waits for this."""
    if loop is not None:
        loop.run_until_complete(loop.shutdown_asyncgens())
    tracing.flush()
    atexit._run_exitfuncs()
    flush_output()


def flush_output() -> None:
    """Write out what print() still holds."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            # Nobody reads it any more, or the task closed it: there is no one left to tell.
            continue


def exit_now(status: int) -> None:
    """End the process without the interpreter's own end, which costs more than a no-op run."""
    os._exit(status)
