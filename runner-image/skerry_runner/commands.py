"""`python -m skerry_runner`: arguments, logging, and the event loop."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from skerry_runner.events import log
from skerry_runner.farewells import last_words, say_farewell
from skerry_runner.outcomes import Outcome
from skerry_runner.runners import Runner
from skerry_runner.sessions import Unauthorized
from skerry_runner.settings import Settings, pod_from

_DESCRIPTION = "Takes assignments from a Skerry control plane and runs them in child processes."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a runner until it is told to leave.

    Returns:
        The exit status: 0 when it left as told; 1 when it could not go on, or in a Pod, when the one attempt did not succeed.
    """
    settings = settings_from(sys.argv[1:] if arguments is None else arguments)
    log.configure(os.environ.get("SKERRY_LOG_LEVEL", "INFO"), runner=settings.runner)
    words: str | None = None
    try:
        outcome = _runner_of(settings)(_run(settings))
        if outcome is not None and settings.pod is not None and settings.isolation == "container":
            words = last_words(outcome)
    except* Unauthorized as group:
        words = f"unauthorized: {group.exceptions[0]}"
        log.error("unauthorized", error=str(group.exceptions[0]))
    if words is not None and settings.pod is not None:
        say_farewell(words)
    return 0 if words is None else 1


def settings_from(arguments: Sequence[str]) -> Settings:
    """Settings from command-line arguments and the environment; exits with status 2 on a mistake."""
    # Everything behind the first `--` is the user's, options that look like ours included.
    own = list(arguments)
    command: list[str] = []
    if "--" in own:
        at = own.index("--")
        own, command = own[:at], own[at + 1 :]
    parser = _parser()
    chosen = parser.parse_args(own)
    environment = os.environ
    # An image names its application once, in its environment.
    app = chosen.app or (None if command else environment.get("SKERRY_APP") or None)
    if (app is None) == (not command):
        parser.error("name either --app TARGET (or SKERRY_APP) or, at the end, -- COMMAND")
    token_file = environment.get("SKERRY_RUNNER_TOKEN_FILE")
    return Settings(
        url=chosen.url,
        runner=chosen.runner,
        pool=chosen.pool,
        version=chosen.version,
        isolation=chosen.isolation,
        capacity=1 if chosen.isolation == "container" else chosen.capacity,
        workdir=chosen.workdir.resolve(),
        preload=not chosen.no_preload,
        enforce_memory=chosen.enforce_memory,
        app=app,
        command=tuple(command),
        sockets=chosen.sockets and chosen.sockets.resolve(),
        lifeline_fd=chosen.lifeline_fd,
        token=environment.get("SKERRY_RUNNER_TOKEN", ""),
        token_file=Path(token_file) if token_file else None,
        pinned_attempt=environment.get("SKERRY_PINNED_ATTEMPT") or None,
        pod=pod_from(environment),
        echo=chosen.echo,
        grace_seconds=float(environment.get("SKERRY_GRACE_SECONDS", "5")),
        start_seconds=float(environment.get("SKERRY_START_SECONDS", "300")),
        python=environment.get("SKERRY_PYTHON", sys.executable),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="skerry-runner", description=_DESCRIPTION)
    parser.add_argument("--url", required=True, help="the control plane, such as http://127.0.0.1:8120")
    parser.add_argument("--runner", required=True, help="this runner's id")
    parser.add_argument("--pool", required=True)
    parser.add_argument("--version", required=True, help="the workflow version it serves, wfv-…")
    parser.add_argument("--isolation", choices=("process", "worker", "container"), default="process")
    parser.add_argument("--capacity", type=int, default=1, help="attempts at a time")
    parser.add_argument("--workdir", type=Path, default=Path.cwd())
    parser.add_argument(
        "--no-preload", action="store_true", help="start a fresh process for every attempt, and none ahead"
    )
    parser.add_argument("--enforce-memory", action="store_true", help="kill attempts that exceed their plan's memory")
    parser.add_argument("--echo", choices=("json", "text", "none"), default="json", help="repeat task output here as")
    parser.add_argument(
        "--sockets", type=Path, help="an existing folder with a short path for its sockets; by default one of its own"
    )
    parser.add_argument("--lifeline-fd", type=int, help="leave at once when this pipe ends")
    parser.add_argument("--app", help="module:attribute or path/to/file.py[:attribute]")
    return parser


def _runner_of(settings: Settings) -> Callable[[Coroutine[Any, Any, Outcome | None]], Outcome | None]:
    """What runs the event loop: of the fast one the single run of this Pod would see its import alone, 7 ms of CPU."""
    if settings.pinned_attempt is not None:
        return asyncio.run
    import uvloop

    return uvloop.run


async def _run(settings: Settings) -> Outcome | None:
    async with asyncio.TaskGroup() as group:
        # A background task that fails takes the runner down, visibly; all are over when the runner is.
        tasks: set[asyncio.Task[None]] = set()

        def background(coroutine: Coroutine[Any, Any, None]) -> None:
            task = group.create_task(coroutine)
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        runner = Runner(settings, background)
        await runner.run()
        for task in tuple(tasks):
            task.cancel()
    return runner.last_outcome
