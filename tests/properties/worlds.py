"""A small world to break: control-plane engines on one real Postgres, and runners that do only what a test tells them.

The runners speak the gateway's messages through real sessions; what is left out is the network between them, so that a
test decides exactly what is lost, repeated or late.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import text

from skerry_api.domain.errors import SkerryError
from skerry_api.engine.engines import Engine
from skerry_api.engine.sessions import Session
from skerry_api.engine.settings import EngineSettings
from skerry_api.engine.submissions import Trigger
from skerry_api.storage import runners
from skerry_api.storage.databases import Database
from tests.ledgers import ATTEMPTS, RUNS, Ledger

TASKS = [
    {"name": "plain", "options": {"retry": {"max_retries": 1, "wait_duration_ms": 0, "factor": 1}}},
    {"name": "scarce", "options": {"concurrency_limit": 2, "retry": {"max_retries": 0}}},
    {"name": "fragile", "options": {"retry": {"max_retries": 0, "wait_duration_ms": 0, "factor": 1}}},
]
_names = itertools.count(1)


class Runner:
    """A runner process, seen from the control plane; it may be deaf (stopped) and it may be a zombie."""

    def __init__(self, world: World, runner_id: str, token: str) -> None:
        self.world = world
        self.id = runner_id
        self.token = token
        self.session: Session | None = None
        self.stopped = False
        self.dead = False
        self.attempts: dict[str, Mapping[str, Any]] = {}
        self.unacknowledged: dict[str, Mapping[str, Any]] = {}
        self._calls = itertools.count(1)

    def hear(self, message: Mapping[str, Any]) -> None:
        kind = message["type"]
        if self.stopped or self.dead:
            return
        if kind == "assign":
            self.attempts[message["attempt"]] = dict(message)
            self.world.seen_tokens.append((self, message["attempt"], message["token"]))
        elif kind == "cancel":
            self.attempts.pop(message["attempt"], None)
            self.unacknowledged.pop(message["attempt"], None)
        elif kind == "ack":
            self.unacknowledged.pop(message["attempt"], None)

    async def connect(self, engine: Engine) -> None:
        try:
            await self._connect(engine)
        except SkerryError:
            self.session = None  # The database is away: it tries again later.

    async def _connect(self, engine: Engine) -> None:
        async with engine.database.transaction() as connection:
            row = await runners.fetch_runner(connection, self.token)
        if row is None or self.dead:
            return
        resuming = [{"attempt": key, "token": value["token"]} for key, value in self.attempts.items()]
        resuming += [{"attempt": key, "token": value["token"]} for key, value in self.unacknowledged.items()]
        hello = {"capacity": 4, "resuming": resuming}
        self.session = await engine.open_session(row, hello, self.hear)
        for message in list(self.unacknowledged.values()):
            self.say(message)

    def disconnect(self) -> None:
        if self.session is not None:
            self.world.engine_of(self.session).close_session(self.session)
            self.session = None

    def say(self, message: Mapping[str, Any]) -> None:
        if self.session is not None and not self.stopped and not self.dead:
            self.session.receive(message)

    def start(self, attempt: str) -> None:
        self.say({"type": "started", "seq": 1, "started_at": datetime.now(UTC).isoformat(), **self._speaker(attempt)})

    def spawn(self, attempt: str, task: str) -> None:
        call = f"{next(self._calls)}:{task}"
        message = {"type": "spawn", "call": call, "task": task, "input": "[]", **self._speaker(attempt)}
        self.say(message)
        self.say(message)  # Sent again, as after a lost answer: still one child.

    def complete(self, attempt: str, reason: str | None) -> None:
        speaker = self._speaker(attempt)
        error = None if reason is None else {"type": "Boom", "message": "boom", "retryable": True}
        status = "succeeded" if reason is None else "failed"
        result = orjson.dumps([attempt]).decode() if reason is None else None
        outcome = {"status": status, "result": result, "error": error, "reason": reason}
        message = {"type": "complete", "seq": 2, "started_at": None, "outcome": outcome, **speaker}
        self.attempts.pop(attempt, None)
        self.unacknowledged[attempt] = message
        self.say(message)

    def _speaker(self, attempt: str) -> dict[str, Any]:
        return {"attempt": attempt, "token": self.attempts[attempt]["token"]}


class World:
    """Engines, runners, and everything that was ever promised."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engines: list[Engine] = []
        self.runners: list[Runner] = []
        self.ledger = Ledger()
        self.seen_tokens: list[tuple[Runner, str, str]] = []
        self.version = ""
        self.workflow_id = ""

    async def open(self) -> None:
        engine = await self.add_engine()
        workflow = await engine.registry.create_workflow("world")
        self.workflow_id = workflow["id"]
        self.version = await engine.registry.create_version(self.workflow_id)
        await engine.registry.finish_registration(self.workflow_id, self.version, TASKS, None)
        await self.add_engine()
        for _ in range(2):
            await self.add_runner()

    async def close(self) -> None:
        for engine in self.engines:
            await engine.stop()

    async def add_engine(self) -> Engine:
        settings = EngineSettings(f"cpl-{next(_names)}", poll_seconds=0.05, lease_seconds=0.4, start_seconds=5.0)
        engine = Engine(settings, Database(self.url, pool_size=2))
        await engine.start()
        self.engines.append(engine)
        return engine

    def engine_of(self, session: Session) -> Engine:
        return next(engine for engine in self.engines if engine is session._engine)

    async def add_runner(self) -> Runner:
        engine = self.engines[len(self.runners) % len(self.engines)]
        runner_id, token = await self._admit(engine)
        runner = Runner(self, runner_id, token)
        self.runners.append(runner)
        await runner.connect(engine)
        return runner

    async def _admit(self, engine: Engine) -> tuple[str, str]:
        """Admit a runner, as an executor does: again until the database is there."""
        while True:
            try:
                return await engine.admit_runner(self.version, self.workflow_id, "process")
            except SkerryError:
                await asyncio.sleep(0.02)

    async def kill_engine(self, engine: Engine) -> None:
        """End an engine between any two lines: nothing is flushed, nobody is told."""
        for runner in self.runners:
            if runner.session is not None and runner.session._engine is engine:
                runner.session.close()
                runner.session = None
        self.engines.remove(engine)
        engine.sweeper._task.cancel()  # type: ignore[union-attr]
        await asyncio.wait([engine.sweeper._task], timeout=5)  # type: ignore[list-item]
        await engine.sweeper._look.close()
        await engine.peers.stop()
        for part in (engine.writer, engine.details):
            if part._batcher._loop_task is not None:
                part._batcher._loop_task.cancel()
                await asyncio.wait([part._batcher._loop_task], timeout=5)
            if part._connection is not None:
                await part._connection.close()
        await engine.database.close()
        await self.add_engine()

    async def kill_runner(self, runner: Runner) -> None:
        runner.disconnect()
        runner.dead = True
        self.runners.remove(runner)
        with contextlib.suppress(SkerryError):  # If nobody learns that it is gone, its lease runs out instead.
            await self.engines[0].runner_gone(runner.id)
        await self.add_runner()

    async def trigger(self, engine: Engine, task: str, key: str | None) -> None:
        try:
            submission = await engine.submit(Trigger(f"world/{task}", [], "[]", idempotency_key=key))
        except SkerryError:
            return  # Refused: nothing was promised.
        self.ledger.accepted.add(submission.run_id)

    async def cancel(self, engine: Engine, run_id: str) -> None:
        try:
            await engine.cancel(run_id)
        except SkerryError:
            return  # Refused while the database was away: the run goes on.

    async def cut_connections(self) -> None:
        """End every connection of the database but the one that asks."""
        database = Database(self.url, pool_size=1)
        async with database.transaction() as connection:
            await connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        await database.close()

    async def query(self, *statements: str) -> list[list[Any]]:
        """The rows of statements, all of one moment."""
        database = Database(self.url, pool_size=1)
        try:
            async with database.transaction() as connection:
                await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
                return [list((await connection.execute(text(statement))).all()) for statement in statements]
        finally:
            await database.close()

    async def check(self) -> None:
        """Assert the invariants over everything that is stored."""
        self.ledger.check(*await self.query(RUNS, ATTEMPTS))

    async def settle_down(self, deadline_seconds: float = 20.0) -> None:
        """Let healthy runners finish everything: nothing may wait for ever."""
        loop = asyncio.get_running_loop()
        until = loop.time() + deadline_seconds
        while still_open := (await self.query("SELECT id, status FROM runs WHERE completed_at IS NULL"))[0]:
            assert loop.time() < until, f"still open: {still_open}"
            for runner in list(self.runners):
                runner.stopped = False
                if runner.session is None:
                    await runner.connect(self.engines[0])
                for attempt in list(runner.attempts):
                    runner.complete(attempt, None)
            await asyncio.sleep(0.02)
