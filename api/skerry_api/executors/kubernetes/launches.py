"""Runs ↔ TaskRun objects: level-triggered, from the record and what the API server shows, with bounded requests.

Nothing is remembered that cannot be found again: after a restart the same decisions follow. Of the queued attempts only as
many are given a TaskRun as may be starting at once, shared equally among pools, so that a burst of triggers queues in Postgres,
not in the API server and on nodes; one that is overtaken later, by a higher priority or another pool's share, keeps its own.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Container, Iterable, Sequence, Set

import structlog

from skerry_api.domain.errors import Unavailable
from skerry_api.domain.plans import plan_named
from skerry_api.domain.states import Reason
from skerry_api.engine.completions import Outcome
from skerry_api.engine.engines import Engine
from skerry_api.executors.kubernetes import templates
from skerry_api.executors.kubernetes.decisions import (
    Action,
    Adopt,
    Cancel,
    Create,
    Raise,
    Remove,
    Settle,
    Wait,
    decide,
    decide_adoption,
)
from skerry_api.executors.kubernetes.metrics import Metrics
from skerry_api.executors.kubernetes.places import Places
from skerry_api.executors.kubernetes.reflections import Reflection
from skerry_api.executors.kubernetes.standbys import HANDOVER_SECONDS, coming, in_need, waiting
from skerry_api.executors.kubernetes.templates import PodDefaults
from skerry_api.executors.kubernetes.windows import MOST_STARTING, Window
from skerry_api.storage import launches
from skerry_api.storage.assignments import fetch_assignment
from skerry_api.storage.databases import plan_anew
from skerry_api.storage.launches import Launch
from skerry_objects.clients import RUNNER_POOLS, TASK_RUNS, ApiError, Client, Unreachable
from skerry_objects.runner_pools import RunnerPool
from skerry_objects.task_runs import TERMINAL, TaskRun

log = structlog.get_logger(__name__)

POLL_SECONDS = 1.0
# What comes together is looked at together: under load the queue is read this often, not once for every event.
PAUSE_SECONDS = 0.1
# What the cluster tells of runs that go on is less urgent than new work, and comes several times a run.
NEWS_SECONDS = 0.5
# Everything that is not over is looked at again this often, whatever was heard.
RESYNC_SECONDS = 30.0
MOST_ADOPTED = 100
# A runner leaves when its attempt's end is recorded; a node on which hundreds end together said so after more than a minute.
LINGER_SECONDS = 300.0
REQUESTS_AT_ONCE = 16


class Launches:
    """Keeps TaskRuns in step with runs, on the replica that leads."""

    def __init__(
        self,
        engine: Engine,
        client: Client,
        namespace: str,
        pods: PodDefaults,
        seen: Reflection[TaskRun],
        standbys: Reflection[RunnerPool],
        metrics: Metrics,
    ) -> None:
        """`seen` are the TaskRuns as the API server shows them, and `standbys` the RunnerPools."""
        self._engine = engine
        self._metrics = metrics
        self._places = Places(engine.database, seen)
        self._client = client
        self._namespace = namespace
        self._pods = pods
        self._dirty: set[str] = set()
        self._wake = asyncio.Event()
        # Since when a run's record and object are as they are, while something is waited for.
        self._since: dict[str, tuple[object, float]] = {}
        self._requests = asyncio.Semaphore(REQUESTS_AT_ONCE)
        self._pools: set[str] = set()
        self._canceled: Set[str] = frozenset()
        # When the next attempt that is delayed may start, in seconds since 1970.
        self._due = math.inf
        self._making_pool = asyncio.Lock()
        self._next_resync = 0.0
        # When the queue is to be looked at again: not for every change of a TaskRun, of which each run has several.
        self._look_at = 0.0
        self._window = Window()
        self._is_crowded = False
        # Runs of the present moment may be given to Pods that wait, by whichever replica those are connected to.
        self._handing_over: asyncio.TimerHandle | None = None
        self._news: asyncio.TimerHandle | None = None
        self._seen = seen
        self._standbys = standbys

    def changed(self, name: str) -> None:
        """A TaskRun came, changed or went."""
        seen = self._seen.objects.get(name)
        if seen is not None:
            self._window.see(seen)
        self._dirty.add(name)
        if self._news is None:
            self._news = asyncio.get_running_loop().call_later(NEWS_SECONDS, self._wake.set)

    def wake(self, pool: str) -> None:
        """There may be something to launch in a pool."""
        seen = self._standbys.objects.get(pool)
        if seen is not None and waiting(seen):
            self._wake_later()
        else:
            self._wake_now()

    def _wake_now(self) -> None:
        self._handing_over = None
        self._look_at = 0.0
        self._wake.set()

    def _wake_later(self) -> None:
        if self._handing_over is None:
            loop = asyncio.get_running_loop()
            self._handing_over = loop.call_later(HANDOVER_SECONDS, self._wake_now)

    def pool_changed(self, name: str, *, is_there: bool) -> None:
        """A RunnerPool came, changed or went: somebody may have removed one that is still needed."""
        if not is_there:
            self._pools.discard(name)

    async def run(self) -> None:
        """Reconcile until cancelled."""
        while True:
            try:
                await self._pass()
            except (Unavailable, Unreachable, ApiError) as error:
                log.warning("launches_delayed", error=str(error))
            except Exception:
                # One bad pass must not end all; the next one sees the same.
                log.exception("launches_failed")
            await asyncio.sleep(PAUSE_SECONDS)
            try:
                async with asyncio.timeout(max(0.0, min(POLL_SECONDS, self._due - time.time()))):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _pass(self) -> None:
        self._wake.clear()
        if self._news is not None:
            self._news.cancel()
            self._news = None
        now = time.time()
        names, self._dirty = self._dirty, set()
        if time.monotonic() >= self._next_resync:
            self._next_resync = time.monotonic() + RESYNC_SECONDS
            names |= self._seen.objects.keys()
        names |= self._since.keys()
        try:
            async with self._engine.database.transaction() as connection:
                await plan_anew(connection)
                queued: list[Launch] = []
                if self._is_crowded or time.monotonic() >= self._look_at or now >= self._due:
                    # Set before the queue is read: whoever wakes meanwhile is heard.
                    self._look_at = time.monotonic() + POLL_SECONDS
                    queued = self._in_need(await launches.fetch_launchable(connection, MOST_STARTING), now)
                adoptable = await launches.fetch_adoptable(connection, MOST_ADOPTED)
                known = await launches.fetch_open(connection, list(names)) if names else {}
                ending = [name for name in names - known.keys() if self._has_live_pod(name)]
                self._canceled = await launches.fetch_canceled(connection, ending) if ending else frozenset()
            await self._places.write(names)
            known |= {launch.run: launch for launch in queued}
            due = {launch.run for launch in queued}
            # Of what is delayed only that is known which changed just now: a moment from before still counts.
            delayed = [self._due, *(launch.ready_at for launch in known.values() if launch.run not in due)]
            self._due = min((moment for moment in delayed if moment > now), default=math.inf)
            await self._adopt(adoptable)
            taken = {launch.run for launch in adoptable}
            await self._settle_all((names | known.keys()) - taken, known, due)
            self._dirty |= names & taken
        except BaseException:
            self._dirty |= names
            raise

    def _in_need(self, found: Sequence[Launch], now: float) -> list[Launch]:
        """Those that have or are to have Pods of their own."""
        pools = self._standbys.objects.values()
        idle = {pool.metadata.name: waiting(pool) for pool in pools}
        queued = in_need(found, coming(pools), idle, self._is_launched, now)
        if len(queued) < len(found) and any(now - launch.ready_at <= HANDOVER_SECONDS for launch in found):
            self._wake_later()
        launched = {launch.attempt: self._seen.objects[launch.run] for launch in queued if self._is_launched(launch)}
        self._metrics.waits(launch.pool for launch in queued if launch.attempt in launched)
        opened = self._window.open(queued, launched)
        # When one of so many begins, another is to be launched.
        self._is_crowded = len(found) == MOST_STARTING or len(opened) < len(queued)
        return opened

    async def _adopt(self, adoptable: Sequence[Launch]) -> None:
        """Have TaskRuns say which waiting Pods took their attempts, and take note of those that do."""
        done: list[str] = []

        async def adopt(launch: Launch) -> None:
            pod = launch.adopting or ""
            action = decide_adoption(launch, pod, self._seen.objects.get(launch.run))
            if action is not None:
                await self._act(launch.run, action)
            done.append(launch.attempt)

        results = await asyncio.gather(*(adopt(launch) for launch in adoptable), return_exceptions=True)
        for launch, result in zip(adoptable, results, strict=True):
            if isinstance(result, BaseException):
                self._dirty.add(launch.run)
                log.warning("adoption_failed", run=launch.run, pod=launch.adopting, error=str(result))
        if done:
            async with self._engine.database.transaction() as connection:
                await launches.note_adoptions(connection, done)
        if len(adoptable) == MOST_ADOPTED:
            self._wake.set()

    def _has_live_pod(self, name: str) -> bool:
        seen = self._seen.objects.get(name)
        return seen is not None and seen.status.phase not in TERMINAL

    def _is_launched(self, launch: Launch) -> bool:
        seen = self._seen.objects.get(launch.run)
        return seen is not None and seen.spec.attempt >= launch.number

    async def _settle_all(self, names: Iterable[str], known: dict[str, Launch], due: Container[str]) -> None:
        actions = [(name, self._decide(name, known.get(name), name in due)) for name in names]
        work = [(name, action) for name, action in actions if action is not None and not isinstance(action, Wait)]
        results = await asyncio.gather(*(self._act(name, action) for name, action in work), return_exceptions=True)
        for (name, _), result in zip(work, results, strict=True):
            if isinstance(result, BaseException):
                self._dirty.add(name)
                log.warning("launch_failed", run=name, error=str(result))

    def _decide(self, name: str, launch: Launch | None, is_due: bool) -> Action:
        seen = self._seen.objects.get(name)
        now = time.monotonic()
        state = (launch, None if seen is None else seen.metadata.resource_version)
        since = self._since.get(name)
        began = since[1] if since is not None and since[0] == state else now
        grace = self._engine.settings.cancel_grace_seconds if name in self._canceled else LINGER_SECONDS
        action = decide(launch, seen, is_due, now - began, grace)
        if isinstance(action, Wait):
            self._since[name] = (state, began)
        else:
            self._since.pop(name, None)
        return action

    async def _act(self, name: str, action: Action) -> None:
        async with self._requests:
            match action:
                case Create(launch):
                    await self._create(launch)
                case Raise(launch):
                    change = {"spec": {"attempt": launch.number, "podName": None}}
                    with self._metrics.writing("patch"):
                        await self._client.patch(TASK_RUNS, self._namespace, name, change)
                    self._metrics.launched(time.time() - launch.ready_at)
                case Adopt(launch, pod):
                    await self._write_adoption(launch, pod)
                case Remove():
                    with self._metrics.writing("delete"):
                        await self._client.delete(TASK_RUNS, self._namespace, name)
                case Settle(launch, reason, message):
                    await self._settle(launch, reason, message)
                case Cancel(launch):
                    await self._cancel(launch)

    async def _write_adoption(self, launch: Launch, pod: str) -> None:
        if launch.run not in self._seen.objects and await self._create(launch, pod):
            return
        change = {"spec": {"attempt": launch.number, "podName": pod}}
        try:
            with self._metrics.writing("patch"):
                await self._client.patch(TASK_RUNS, self._namespace, launch.run, change)
        except ApiError as error:
            if error.status != 404:
                raise
            # Removed since: what follows from that is decided once the record says that it had been there.

    async def _create(self, launch: Launch, pod: str | None = None) -> bool:
        """Make a TaskRun; False when there is one already."""
        async with self._making_pool:
            await self._ensure_pool(launch)
        body = templates.task_run(launch, pod).to_json()
        try:
            with self._metrics.writing("create"):
                await self._client.create(TASK_RUNS, self._namespace, body)
        except ApiError as error:
            if error.status == 409:
                return False  # Made by us before, or by the replica that led before: the reflection will show it.
            if error.status in (400, 403, 422):
                await self._settle(launch, Reason.UNSCHEDULABLE, f"the TaskRun was refused: {error.message}")
                return True
            raise
        self._metrics.launched(time.time() - launch.ready_at)
        return True

    async def _ensure_pool(self, launch: Launch) -> None:
        if launch.pool in self._pools:
            return
        async with self._engine.database.autocommit() as connection:
            source = await launches.fetch_source(connection, launch.version_id)
        if source is None:
            raise Unavailable(f"version {launch.version_id} was not released from an image")
        pool = templates.runner_pool(
            launch.workflow, launch.version_id, plan_named(launch.plan), source, self._pods, replicas=0
        )
        try:
            with self._metrics.asking():
                await self._client.create(RUNNER_POOLS, self._namespace, pool.to_json())
        except ApiError as error:
            if error.status != 409:
                raise
        self._pools.add(launch.pool)

    async def _settle(self, launch: Launch, reason: Reason, message: str) -> None:
        async with self._engine.database.autocommit() as connection:
            assignment = await fetch_assignment(connection, launch.attempt)
        if assignment is None:
            return
        error = {"type": reason.value, "message": message}
        if await self._engine.completions.settle(assignment, Outcome(reason, error=error), spawned=True):
            log.warning(
                "attempt_lost",
                run=launch.run,
                attempt=launch.number,
                reason=reason,
                message=message,
                **assignment.place,
            )
            self._engine.connections.stop_attempts([launch.attempt], "superseded")
            self._engine.peers.tell(attempt=launch.attempt)

    async def _cancel(self, launch: Launch) -> None:
        """Its TaskRun was removed. The reflection may lag behind, so the API server is asked once more."""
        try:
            with self._metrics.asking():
                found = await self._client.get(TASK_RUNS, self._namespace, launch.run)
        except ApiError as error:
            if error.status != 404:
                raise
        else:
            if "deletionTimestamp" not in found["metadata"]:
                return
        await self._engine.cancel_runs([launch.run], "its TaskRun was deleted", Reason.DELETED)
