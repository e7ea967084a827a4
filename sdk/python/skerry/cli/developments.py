"""`skerry dev`: your tasks on this machine, in a server that lives as long as the command."""

import importlib.util
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from skerry.cli import connections, followers, greetings, logs, options, outputs, problems, servers, settings, targets

_READY_SECONDS = 60.0
_LOOK_SECONDS = 0.5
_PRINTED_LINES = 10_000
_LEVELS_SHOWN = frozenset({"error", "critical"})
_TOLD_OTHERWISE = frozenset({"fatal", "registration_failed", "cannot_start"})
"""Events that are shown in a form of their own."""

app = options.command("Run your tasks on this machine, and follow every run.")


class Isolation(StrEnum):
    """How attempts are kept apart on this machine."""

    process = "process"
    worker = "worker"


class DevCommand(TyperCommand):
    """Keeps what follows `--` apart: it is a program to run, not arguments of ours."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the program off the arguments."""
        if "--" in args:
            split = args.index("--")
            ctx.meta["command"] = tuple(args[split + 1 :])
            args = args[:split]
        return super().parse_args(ctx, args)


@app.command(
    cls=DevCommand,
    epilog=options.examples(
        "skerry dev                          the tasks of main.py",
        "skerry dev orders/tasks.py:app      the tasks of another file",
        "skerry dev -- node build/tasks.js   tasks in another language",
        "skerry dev --port 8200 --no-watch",
    ),
)
def dev(
    context: typer.Context,
    target: Annotated[
        str | None,
        typer.Argument(metavar="TARGET", help="module:object or path/to/file.py:object. Default: main:app."),
    ] = None,
    port: Annotated[int, typer.Option(metavar="PORT", min=1, max=65535, help="The port to listen on.")] = 8120,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="The address to listen on, one of this machine's own.")
    ] = "127.0.0.1",
    data: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where the database is; runs are kept there between starts.")
    ] = Path(".skerry"),
    workflow: Annotated[
        str | None, typer.Option(metavar="NAME", help="The workflow's name. Default: the folder's.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch/--no-watch", help="Load your tasks again when a file changes.")
    ] = True,
    capacity: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="The most attempts at once. Default: eight for each CPU.")
    ] = None,
    isolation: Annotated[
        Isolation | None,
        typer.Option(help="A fresh process for every attempt (the default), or one worker process for many."),
    ] = None,
    output: Annotated[bool, typer.Option("--output/--no-output", help="Show what tasks print.")] = True,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show everything the server logs.")] = False,
) -> None:
    """Run your tasks on this machine, and follow every run.

    Starts a complete server with its own database, loads your tasks, and shows runs as they start and end. Saving a
    file loads your tasks again; if that fails, the last good version goes on working. Ctrl-C stops everything.
    """
    launch = servers.Launch(
        app=target,
        command=context.meta.get("command", ()),
        host=host,
        port=port,
        data=data,
        workflow=workflow,
        watch=watch,
        capacity=capacity,
        isolation=isolation,
    )
    run(_checked(launch, Path.cwd()), ServerOutput(output, verbose))


class ServerOutput:
    """Takes the lines the server and its runners write, and keeps what tasks printed until it is asked for.

    Args:
        printed: Whether what tasks print is kept.
        verbose: Whether everything else is shown at once, not only errors.
    """

    def __init__(self, printed: bool, verbose: bool) -> None:
        self._printed: deque[logs.Entry] | None = deque(maxlen=_PRINTED_LINES) if printed else None
        self._verbose = verbose

    def take(self, line: dict[str, Any] | str) -> None:
        """Keep, show or drop a line; called from the thread that reads them."""
        if isinstance(line, str):
            if self._verbose:
                outputs.note(line)
        elif (entry := logs.echoed(line)) is not None:
            if self._printed is not None:
                self._printed.append(entry)
        elif line.get("event") not in _TOLD_OTHERWISE and (self._verbose or line.get("level") in _LEVELS_SHOWN):
            _show_server_line(line)

    def printed(self) -> list[logs.Entry]:
        """Return what tasks have printed since the last call."""
        waiting = self._printed or ()
        return [waiting.popleft() for _ in range(len(waiting))] if waiting else []


def run(launch: servers.Launch, output: ServerOutput) -> None:
    """Run the server until it ends or is interrupted.

    Raises:
        Problem: The server could not start, or ended by itself.
        Exit: The tasks could not be loaded and nothing would load them again.
    """
    with _signals_as_interrupts(), servers.DevServer(launch, output.take) as server:
        try:
            _serve(server, output)
        except KeyboardInterrupt:
            _stop(server)


def _stop(server: servers.DevServer) -> None:
    outputs.note("Stopping… (Ctrl-C again does not wait)")
    try:
        orderly = server.stop()
    except KeyboardInterrupt:
        orderly = server.stop(patience=0)
    outputs.note("Stopped." if orderly else "Stopped; the server did not end in good order.")


def _serve(server: servers.DevServer, output: ServerOutput) -> None:
    since = datetime.now(UTC)
    with outputs.progress("Starting the server and its database…"):
        server.wait_ready(_READY_SECONDS)
    # Only a server that listens beyond this machine asks for the key; what `skerry login` stored is another server's.
    key = os.environ.get("SKERRY_API_KEY") or None
    with connections.Connection(settings.Settings(server.launch.url, key)) as connection:
        follower = followers.Follower(connection, outputs.show)
        with outputs.progress("Loading your tasks…"):
            follower.wait_registered(server.check, since)
        _show_start(follower, server.launch)
        while True:
            time.sleep(_LOOK_SECONDS)
            server.check()
            follower.look(output.printed())


def _show_start(follower: followers.Follower, launch: servers.Launch) -> None:
    if follower.failed is None:
        return outputs.show(greetings.greeting(follower.tasks, launch.url, launch.watch))
    outputs.show(followers.failure(follower.failed, still_serving=bool(follower.tasks)))
    if not launch.watch:
        raise typer.Exit(problems.FAILED)
    outputs.note("Fix it and save: your tasks are loaded again. Ctrl-C stops everything.")


def _checked(launch: servers.Launch, folder: Path) -> servers.Launch:
    if launch.app is not None and launch.command:
        raise problems.Problem("Give either a target or, after `--`, a command.", exit_status=problems.USAGE)
    if importlib.util.find_spec("skerry_api") is None:
        raise problems.Problem(
            "`skerry dev` needs the server, which is not installed.", "Install it with: pip install 'skerry[dev]'"
        )
    if not launch.command:
        target = launch.app or targets.default_target(folder)
        targets.check(target, folder)
        launch = replace(launch, app=target)
    servers.check_port(launch)
    return launch


@contextmanager
def _signals_as_interrupts() -> Iterator[None]:
    """Treat SIGTERM and SIGHUP like Ctrl-C, so that everything is stopped in order."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _show_server_line(line: dict[str, Any]) -> None:
    rest = {name: value for name, value in line.items() if name not in ("event", "level", "timestamp")}
    outputs.note(f"server: {line.get('event', '')}  {outputs.compact(rest, 300) if rest else ''}".rstrip(), "yellow")
