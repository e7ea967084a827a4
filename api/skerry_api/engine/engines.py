"""The engine of one control-plane process: its parts, put together, and what the outside may ask of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

import structlog

from skerry_api.domain import ids
from skerry_api.domain.errors import InvalidRequest, Unavailable
from skerry_api.domain.states import Reason
from skerry_api.engine.completions import Completions
from skerry_api.engine.connections import Connections
from skerry_api.engine.dispatchers import Dispatcher
from skerry_api.engine.ends import Ends, Expectation
from skerry_api.engine.executions import PodIdentity
from skerry_api.engine.log_feeds import LogFeed
from skerry_api.engine.peers import News, Peers
from skerry_api.engine.pods import admit_pod
from skerry_api.engine.progresses import Progresses
from skerry_api.engine.registries import Registry
from skerry_api.engine.sessions import Session
from skerry_api.engine.settings import EngineSettings
from skerry_api.engine.submissions import Submission, Submissions, Trigger
from skerry_api.engine.sweeps import Sweeper
from skerry_api.engine.telemetry import Telemetry
from skerry_api.engine.traces import Traces
from skerry_api.storage import runners, runs
from skerry_api.storage.assignments import Assignment
from skerry_api.storage.databases import Database
from skerry_api.storage.details import DetailsReader, run_not_found
from skerry_api.storage.runs import Finished
from skerry_api.storage.writers import Writer

log = structlog.get_logger(__name__)

Row = Mapping[Any, Any]

LOG_RETRY_SECONDS = 1.0
LOG_TRIES = 120


class Engine:
    """Makes runs move."""

    def __init__(self, settings: EngineSettings, database: Database) -> None:
        """Put the parts together; nothing runs before `start`."""
        self.settings = settings
        self.database = database
        self.writer = Writer(database)
        self.details = DetailsReader(database)
        self.telemetry = Telemetry(database, self.writer)
        self.traces = Traces()
        self.peers = Peers(database, settings.replica, self._hear)
        self.registry = Registry(database, self.peers, settings.limits, dev=settings.dev)
        self.ends = Ends(self._fetch_finished)
        self.dispatcher = Dispatcher(settings, self.writer, self.registry, self.peers)
        self.completions = Completions(self.writer, self.dispatcher, self.ends, self.peers, self.telemetry, self.traces)
        self.submissions = Submissions(
            settings, database, self.writer, self.registry, self.dispatcher, self.peers, self.telemetry, self.traces
        )
        self.progresses = Progresses(self.writer, settings.timeout_grace_seconds, self.dispatcher.limit_freed)
        self.connections = Connections()
        self.completions.stop_attempts = self.connections.stop_attempts
        self.log_feed = LogFeed()
        self.sweeper = Sweeper(self)
        self.closing = asyncio.Event()
        # Which Pod a token is bound to, where runners are Pods; an executor sets it.
        self.identify_pod: Callable[[str], Awaitable[PodIdentity | None]] | None = None
        self._registered: dict[str, Callable[[str | None], None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Read what there is and begin.

        Raises:
            Unavailable: Postgres cannot be reached.
        """
        await self.registry.reload()
        self.peers.start()
        self.sweeper.start()

    async def stop(self) -> None:
        """Finish what is under way, and leave."""
        self.closing.set()
        for session in self.connections:
            session.close()
        await self.sweeper.stop()
        await self.dispatcher.stop()
        await self.progresses.stop()
        await self.writer.close()
        await self.details.close()
        await self.peers.stop()
        await asyncio.to_thread(self.traces.close)
        try:
            async with self.database.transaction() as connection:
                await runners.remove_replica(connection, self.settings.replica)
        except Unavailable as away:
            log.warning("left_without_goodbye", error=away.message)
        await self.database.close()

    # For clients

    def new_run_id(self) -> str:
        """An id for a run that is about to be triggered, so that its end can be expected before."""
        return ids.new_id(ids.RUN)

    def expect(self, run_ids: Collection[str]) -> Expectation:
        """Wait for the ends of runs."""
        return self.ends.expect(run_ids)

    async def submit(self, trigger: Trigger) -> Submission:
        """Accept one trigger; see `Submissions.submit`."""
        return (await self.submissions.submit([trigger]))[0]

    async def submit_many(self, triggers: Sequence[Trigger]) -> list[Submission]:
        """Accept triggers, all or none."""
        return await self.submissions.submit(triggers)

    async def retry(self, run_id: str, workflow: str | None = None) -> Submission:
        """Start a failed or canceled run again as a new one."""
        return await self.submissions.retry(run_id, workflow)

    async def cancel(self, run_id: str) -> None:
        """Cancel a run with its descendants; a run that is over stays as it is.

        Raises:
            NotFound: there is no such run.
        """
        async with self.database.transaction() as connection:
            run = await runs.fetch_run(connection, run_id)
        if run is None:
            raise run_not_found(run_id)
        await self.cancel_runs([run_id], "canceled on request")

    async def cancel_runs(self, run_ids: Sequence[str], message: str, reason: Reason = Reason.CANCELED) -> None:
        """Cancel runs with their descendants."""
        await self.completions.cancel(run_ids, reason, message)

    # For executors and the gateway

    async def admit_runner(self, version_id: str, workflow_id: str, isolation: str) -> tuple[str, str]:
        """Make an id and a token for a runner that is about to be started; its pool is the version."""
        runner_id, token = ids.new_id(ids.RUNNER), ids.new_token()
        values = {
            "id": runner_id,
            "token_hash": runners.hash_secret(token),
            "workflow_id": workflow_id,
            "version_id": version_id,
            "pool": version_id,
            "isolation": isolation,
        }
        async with self.database.transaction() as connection:
            await runners.insert_runner(connection, values)
        return runner_id, token

    async def runner_of(self, token: str) -> Row | None:
        """The runner that a bearer token belongs to; None when it belongs to none.

        Raises:
            Unavailable: Postgres, or whoever knows Pods, is away.
        """
        async with self.database.transaction() as connection:
            runner = await runners.fetch_runner(connection, token)
        if runner is not None or self.identify_pod is None:
            return runner
        pod = await self.identify_pod(token)
        return None if pod is None else await admit_pod(self.database, pod)

    async def runner_gone(self, runner_id: str) -> None:
        """A runner's process has ended: end what it held, now."""
        async with self.database.transaction() as connection:
            await runners.mark_runner_gone(connection, runner_id)
        self.sweeper.wake()

    def on_registered(self, version_id: str, callback: Callable[[str | None], None]) -> None:
        """Call `callback` once when a version's registration ends, with the error or None."""
        self._registered[version_id] = callback

    async def finish_registration(self, workflow_id: str, version_id: str, message: Row) -> bool:
        """A runner reported an application's tasks, or why it could not; answers whether the version can be used."""
        error = message.get("error")
        text = None if error is None else describe_error(error)
        try:
            await self.registry.finish_registration(workflow_id, version_id, message.get("tasks"), text)
        except InvalidRequest as refusal:
            text = refusal.message
        callback = self._registered.pop(version_id, None)
        if callback is not None:
            callback(text)
        return text is None

    async def open_session(self, runner: Row, hello: Row, send: Callable[[Mapping[str, Any]], None]) -> Session:
        """A runner connected and said hello."""
        session = Session(self, runner, hello, send)
        self.connections.add(session)
        self.telemetry.runners.set(len(self.connections))
        try:
            await session.open(list(hello.get("resuming") or ()))
            if runner.get("pinned_attempt"):
                await session.take_pinned(runner["pinned_attempt"])
            elif runner["version_status"] == "registering":
                session.register()
            elif runner.get("is_pod") and runner["version_status"] != "ready":
                session.leave()
            if not runner.get("is_pod"):
                self.dispatcher.join(session)
        except BaseException:
            self.close_session(session)
            raise
        return session

    def close_session(self, session: Session) -> None:
        """A runner's connection ended."""
        self.connections.remove(session)
        self.telemetry.runners.set(len(self.connections))

    async def store_logs(self, assignment: Assignment, seq: int, entries: list[dict[str, Any]]) -> None:
        """Store log lines and show them to those who follow.

        Raises:
            Unavailable: Postgres stayed away for two minutes; the runner still has the lines.
        """
        if self.log_feed.followed:
            self._publish(assignment, entries)
        row = {
            "attempt": assignment.attempt,
            "token": assignment.token,
            "seq": seq,
            "run_id": assignment.run,
            "root_run_id": assignment.root,
            "workflow": assignment.workflow,
            "task": assignment.task,
            "number": assignment.number,
            "entries": entries,
        }
        for tries_left in reversed(range(LOG_TRIES)):
            try:
                return await self.writer.append_logs(row)
            except Unavailable:
                if not tries_left:
                    raise
            await asyncio.sleep(LOG_RETRY_SECONDS)

    def _publish(self, assignment: Assignment, entries: list[dict[str, Any]]) -> None:
        for entry in entries:
            self.log_feed.publish(
                {
                    "run_id": assignment.run,
                    "root_run_id": assignment.root,
                    "workflow": assignment.workflow,
                    "task": assignment.task,
                    "attempt": assignment.number,
                    "time": entry["time"],
                    "stream": entry["stream"],
                    "message": entry["line"],
                }
            )

    # From other processes

    def _hear(self, news: News) -> None:
        for pool in news.pools:
            self.dispatcher.wake(pool)
        if news.registry:
            self._background(self.registry.reload())
        for run_id in news.runs:
            self.ends.meet(run_id)
        heeded = [run_id for run_id in news.runs if self.ends.heeds(run_id)]
        if heeded:
            self._background(self.ends.catch_up(heeded))
        if news.attempts:
            held = set(self.connections.held_attempts)
            ended = [attempt for attempt in news.attempts if attempt in held]
            if ended:
                self._background(self.stop_ended(ended))

    async def stop_ended(self, attempts: Sequence[str]) -> None:
        """Stop those attempts worked on here that the record says are over."""
        async with self.database.autocommit() as connection:
            ended = await runners.fetch_ended_elsewhere(connection, attempts)
        for attempt, reason in ended.items():
            canceled = reason in (Reason.CANCELED, Reason.DELETED)
            self.connections.stop_attempts([attempt], "canceled" if canceled else "superseded")

    def _background(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._background_done)

    def _background_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            # The poll does the same work within a second.
            log.warning("news_not_followed", error=str(error))

    async def _fetch_finished(self, run_ids: Sequence[str]) -> list[Finished]:
        async with self.database.autocommit() as connection:
            return await runs.fetch_finished(connection, run_ids)


def describe_error(error: Row) -> str:
    """A registration's error as a person reads it: the traceback where there is one."""
    trace = error.get("stack_trace")
    message = f"{error.get('type') or 'Error'}: {error.get('message') or 'no message'}"
    return f"{trace.rstrip()}" if trace else message
