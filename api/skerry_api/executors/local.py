"""Runners as processes on this machine: what `skerry dev` uses.

Every release of the code – the first, and one after each change of a file – is a version, as in production: a fresh runner
imports it, registers its tasks, and takes the new runs, while the runner before it finishes what it has and leaves. A release
that fails to import changes nothing but what people are told.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
import watchfiles

from skerry_api.domain.errors import SkerryError
from skerry_api.engine.engines import Engine
from skerry_api.storage import runners

log = structlog.get_logger(__name__)

REGISTER_SECONDS = 45.0
STOP_SECONDS = 10.0
RESTART_SECONDS = 1.0
DRAIN_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class LocalSource:
    """What to run: an application (`main:app`) or any command that speaks the socket protocol.

    Attributes:
        workflow: slug of the workflow the code is.
        arguments: the runner's last arguments: `["--app", "main:app"]` or `["--", "node", "main.js"]`.
        workdir: where user code runs, and whose files are watched.
        isolation: `process` or `worker`.
        capacity: attempts at once that do not wait for children.
    """

    workflow: str
    arguments: Sequence[str]
    workdir: Path
    isolation: str
    capacity: int
    watch: bool = True


@dataclass(slots=True)
class _Runner:
    id: str
    version_id: str
    process: asyncio.subprocess.Process
    lifeline: int
    sockets: str
    retiring: bool = False


class LocalExecutor:
    """Keeps one runner for the newest good version of one workflow, and older ones until they are done."""

    def __init__(self, engine: Engine, source: LocalSource, url: str) -> None:
        """Start runners that connect to `url`."""
        self._engine = engine
        self._source = source
        self._url = url
        self._runners: dict[str, _Runner] = {}
        self._current: _Runner | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._changed = asyncio.Event()

    async def start(self) -> None:
        """Release the code as it is now, then again whenever a file changes."""
        source = self._source
        await self._engine.registry.create_workflow(source.workflow, isolation=source.isolation)
        self._background(self._release_forever())
        if source.watch:
            self._background(self._watch())

    async def stop(self) -> None:
        """Stop every runner and wait for it."""
        self._stopping = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(self._end(runner) for runner in list(self._runners.values())))

    def _background(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self) -> None:
        python = watchfiles.PythonFilter(extra_extensions=(".toml", ".json", ".js", ".ts", ".env"))
        async for changes in watchfiles.awatch(self._source.workdir, watch_filter=python, debounce=300, step=50):
            log.info("files_changed", files=sorted({Path(path).name for _, path in changes})[:10])
            self._changed.set()

    async def _release_forever(self) -> None:
        while True:
            self._changed.clear()
            try:
                await self._release()
            except (SkerryError, OSError) as error:
                log.error("release_failed", error=str(error))
                await asyncio.sleep(RESTART_SECONDS)
                continue
            await self._changed.wait()

    async def _release(self) -> None:
        workflow = self._engine.registry.workflow(self._source.workflow)
        version_id = await self._engine.registry.create_version(workflow["id"])
        registered: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._engine.on_registered(version_id, registered.set_result)
        runner = await self._launch(version_id, workflow["id"])
        ended = asyncio.ensure_future(runner.process.wait())
        waited: list[asyncio.Future[Any]] = [registered, ended]
        await asyncio.wait(waited, timeout=REGISTER_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not registered.done():
            what = (
                f"exited with status {ended.result()}"
                if ended.done()
                else f"did not register in {REGISTER_SECONDS:g} s"
            )
            error = {"type": "RegistrationFailed", "message": f"the runner {what}; see its output above"}
            await self._engine.finish_registration(workflow["id"], version_id, {"error": error})
        ended.cancel()
        failure = await registered
        if failure is not None:
            log.error("registration_failed", version=version_id, error=failure)
            await self._end(runner)
            return
        log.info("version_ready", version=version_id, workflow=self._source.workflow)
        await self._promote(runner, workflow["id"])

    async def _promote(self, runner: _Runner, workflow_id: str) -> None:
        older, self._current = self._current, runner
        if older is None:
            async with self._engine.database.transaction() as connection:
                await runners.mark_others_gone(connection, workflow_id, list(self._runners))
            self._engine.sweeper.wake()
        else:
            older.retiring = True
            self._background(self._retire(older))
        self._background(self._adopt(runner, workflow_id, [] if older is None else [older.version_id]))

    async def _adopt(self, runner: _Runner, workflow_id: str, kept: list[str]) -> None:
        """Take over what older code left undone, until nothing of it is open: on this machine that code is gone."""
        while runner is self._current:
            async with self._engine.database.transaction() as connection:
                left = await runners.adopt_queued(connection, workflow_id, runner.version_id, kept)
            self._engine.dispatcher.wake(runner.version_id)
            if not left:
                return
            await asyncio.sleep(DRAIN_POLL_SECONDS)

    async def _retire(self, runner: _Runner) -> None:
        while True:
            async with self._engine.database.autocommit() as connection:
                if not await runners.count_open(connection, runner.version_id):
                    break
            await asyncio.sleep(DRAIN_POLL_SECONDS)
        session = self._engine.connections.of_runner(runner.id)
        if session is not None:
            session.leave()
        await self._end(runner, after_seconds=STOP_SECONDS)

    async def _launch(self, version_id: str, workflow_id: str) -> _Runner:
        runner_id, token = await self._engine.admit_runner(version_id, workflow_id, self._source.isolation)
        # Closed with this process, however it ends: the runner sees it and leaves, with everything it started.
        read_end, write_end = os.pipe()
        # Ours, because a runner that is killed cannot remove it. Short: the path of a socket may have 107 bytes.
        sockets = tempfile.mkdtemp(prefix="skerry-")
        options = ["--runner", runner_id, "--pool", version_id, "--version", version_id]
        options += ["--sockets", sockets, "--lifeline-fd", str(read_end)]
        try:
            process = await self._start_process(options, token, read_end)
        except BaseException:
            _clear_away(write_end, sockets)
            raise
        finally:
            os.close(read_end)
        runner = _Runner(runner_id, version_id, process, write_end, sockets)
        self._runners[runner_id] = runner
        self._background(self._attend(runner, workflow_id))
        return runner

    async def _start_process(self, options: Sequence[str], token: str, lifeline: int) -> asyncio.subprocess.Process:
        source = self._source
        command = [
            *(sys.executable, "-m", "skerry_runner", "--url", self._url, "--isolation", source.isolation),
            *("--capacity", str(source.capacity), "--workdir", str(source.workdir), "--enforce-memory"),
            *(*options, *source.arguments),
        ]
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            env={
                **os.environ,
                "SKERRY_RUNNER_TOKEN": token,
                "SKERRY_URL": self._url,
                "SKERRY_WORKFLOW": source.workflow,
            },
            pass_fds=(lifeline,),
            start_new_session=True,
        )

    async def _attend(self, runner: _Runner, workflow_id: str) -> None:
        """Wait for a runner's end; what it held is lost, and the current version gets another one."""
        status = await runner.process.wait()
        self._runners.pop(runner.id, None)
        self._forget(runner)
        await self._engine.runner_gone(runner.id)
        if self._stopping:
            return
        if runner is not self._current:
            if runner.retiring and self._current is not None:
                await self._adopt(self._current, workflow_id, [])
            return
        log.warning("runner_ended", runner=runner.id, status=status)
        await asyncio.sleep(RESTART_SECONDS)
        self._current = await self._launch(runner.version_id, workflow_id)

    async def _end(self, runner: _Runner, after_seconds: float = 0.0) -> None:
        process = runner.process
        if after_seconds and await _ended_within(process, after_seconds):
            return self._forget(runner)
        if process.returncode is None:
            process.terminate()
        if not await _ended_within(process, STOP_SECONDS):
            log.warning("runner_killed", runner=runner.id)
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        self._forget(runner)

    def _forget(self, runner: _Runner) -> None:
        """Give back what was kept for a runner whose process is gone; again changes nothing."""
        if runner.lifeline >= 0:
            _clear_away(runner.lifeline, runner.sockets)
            runner.lifeline = -1


def _clear_away(lifeline: int, sockets: str) -> None:
    os.close(lifeline)
    shutil.rmtree(sockets, ignore_errors=True)


async def _ended_within(process: asyncio.subprocess.Process, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await process.wait()
    except TimeoutError:
        return False
    return True
