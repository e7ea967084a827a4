"""One attempt in a process of its own: fetch the input, call the function, report the outcome."""

from __future__ import annotations

import atexit
import binascii
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from skerry.contexts import ActiveRun, TaskContext, activate_process
from skerry.errors import InvalidInput
from skerry.runtime import signals, tracing
from skerry.runtime.children import ChildRuns
from skerry.runtime.failures import failure_of
from skerry.runtime.messages import from_json, json_bytes, request_bytes, retry_delays
from skerry.runtime.sockets import Connection, SocketClient, connect

if TYPE_CHECKING:
    import asyncio

    from skerry.apps import Workflows
    from skerry.tasks import Task

STANDBY_SECONDS = 0.003
# Who waits as long as this is not needed soon: in a pool with many runs a second processes are taken before.
_REHEARSE_AFTER_SECONDS = 0.1
_TERMINATED = 128 + signal.SIGTERM


class Terminated(SystemExit):
    """Raised in a `def` task when its run is stopped: `finally` blocks run, `except Exception` does not keep it alive."""


def serve(app: Workflows, path: str, *, loop_ahead: bool = False, rehearse: Callable[[], None] | None = None) -> int:
    """Wait for an attempt at the socket `path`, run it and report its outcome; the exit status for the process.

    `loop_ahead` has an event loop made while the process waits, and `rehearse` is called when it has waited for long.
    """
    loop = Loop()
    connection, assignment = _await_assignment(path, loop, loop_ahead, rehearse)
    status = perform(app, SocketClient(path, connection=connection), assignment, loop)
    if status == 0:
        _finish(loop.made)
    return status


def refuse(path: str, error: BaseException) -> int:
    """Wait for an attempt as `serve` does, and report that the application cannot be imported; the exit status."""
    connection, _ = _await_assignment(path, Loop())
    failure = failure_of(error)
    failure["details"] = f"the application cannot be imported: {failure['details']}"
    SocketClient(path, connection=connection).request("POST", "/callback", json_bytes({"error": failure}))
    return 1


def perform(app: Workflows, client: SocketClient, assignment: Mapping[str, Any], loop: Loop) -> int:
    """Run an attempt and report its outcome to `client`; the exit status for the process."""
    run = ActiveRun(TaskContext.from_assignment(assignment), ChildRuns(client.path, client))
    activate_process(run)
    try:
        body = _outcome(app, run, assignment, loop)
    except (Terminated, KeyboardInterrupt):
        # The runner stopped this attempt and knows its outcome.
        return _TERMINATED
    finally:
        signals.restore(signal.SIGTERM)
        flush_output()
    client.request("POST", "/callback", body)
    return 0


class Loop:
    """An event loop that is made when it is needed, or before. `is_current` makes it the thread's own when it runs."""

    __slots__ = ("is_current", "made")

    def __init__(self, *, is_current: bool = True) -> None:
        """Make none yet."""
        self.is_current = is_current
        self.made: asyncio.AbstractEventLoop | None = None

    def ready(self) -> asyncio.AbstractEventLoop:
        """The loop."""
        if self.made is None:
            import asyncio

            self.made = asyncio.new_event_loop()
        return self.made


def _await_assignment(
    path: str, loop: Loop, loop_ahead: bool = False, rehearse: Callable[[], None] | None = None
) -> tuple[Connection, Mapping[str, Any]]:
    """Ask for the input, and while nothing is there yet get ready for it."""
    for delay in retry_delays():
        try:
            connection = connect(path)
            connection.send(request_bytes("GET", "/input"), None)
            # A process that stands by has time for a loop; one whose run waits already makes it only if it needs it.
            if loop_ahead and not connection.is_answered(within_seconds=STANDBY_SECONDS):
                loop.ready()
            if rehearse is not None and not connection.is_answered(within_seconds=_REHEARSE_AFTER_SECONDS):
                rehearse()
            response = connection.receive()
            if not response.may_be_retried:
                return connection, response.json()
        except OSError as error:
            problem = error
        time.sleep(delay)
    raise SystemExit(f"the runner at {path} gave no input: {problem}")


def _outcome(app: Workflows, run: ActiveRun, assignment: Mapping[str, Any], loop: Loop) -> bytes:
    """The callback for this run: whatever the function returns or raises."""
    try:
        task, args, kwargs = prepared(app, assignment)
        if tracing.is_on():
            with tracing.continued(run.context.traceparent):
                value = _invoke(task, run, args, kwargs, loop)
        else:
            value = _invoke(task, run, args, kwargs, loop)
        return succeeded(task.signature.encode_result(value))
    except (Terminated, KeyboardInterrupt):
        raise
    except BaseException as error:
        return failed(error)


def _invoke(task: Task[..., Any], run: ActiveRun, args: list[Any], kwargs: dict[str, Any], loop: Loop) -> Any:
    if task.is_async:
        return _run_in_loop(loop, task.invoke(run.context, args, kwargs), run)
    signals.handle(signal.SIGTERM, _raise_terminated)
    return task.invoke(run.context, args, kwargs)


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
    args, kwargs = task.signature.decode_call(from_json(text) if text else [])
    return task, args, kwargs


def succeeded(result: bytes) -> bytes:
    """The callback for a result, given as JSON text."""
    return b'{"complete":{"output":"' + binascii.b2a_base64(result, newline=False) + b'"}}'


def failed(error: BaseException) -> bytes:
    """The callback for an exception."""
    return json_bytes({"error": failure_of(error)})


def _raise_terminated(signum: int, frame: object) -> None:
    raise Terminated(_TERMINATED)


def _run_in_loop(holder: Loop, coroutine: Any, run: ActiveRun) -> Any:
    """What asyncio.run does, with a loop that may be there already; SIGTERM cancels the task."""
    import asyncio

    loop = holder.ready()
    if holder.is_current:
        asyncio.set_event_loop(loop)
    main = loop.create_task(coroutine)
    signals.handle(signal.SIGTERM, lambda signum, frame: loop.call_soon_threadsafe(main.cancel))
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
