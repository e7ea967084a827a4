"""What the active operator does until it is told to stop: compare everything, follow events, work off keys."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, Final

import structlog

from skerry_objects.clients import ApiError, Expired, Unreachable, pause
from skerry_objects.configurations import Configuration
from skerry_operator import handlers
from skerry_operator.announcements import Announcer
from skerry_operator.clusters import Cluster
from skerry_operator.metrics import Metrics, Pulse
from skerry_operator.queues import Queue
from skerry_operator.reconciliations import Reconciler
from skerry_operator.settings import Settings
from skerry_operator.stores import Key, Kind, Store, Touched

log = structlog.get_logger(__name__)

# How much later than a list an event may come before it counts as missed.
LATE_SECONDS: Final = 10.0


class Session:
    """One time of being active. What it knows ends with it."""

    def __init__(
        self,
        cluster: Cluster,
        configuration: Configuration,
        namespace: str,
        settings: Settings,
        metrics: Metrics,
        alive: Pulse,
        ready: Pulse,
    ) -> None:
        """Act in `namespace`."""
        self._cluster = cluster
        self._configuration = configuration
        self._namespace = namespace
        self._settings = settings
        self._metrics = metrics
        self._alive = alive
        self._ready = ready
        self._store = Store()
        self._queue: Queue[Key] = Queue()
        self._announcer = Announcer(cluster, settings.identity, settings.announce)
        self._reconciler = Reconciler(
            cluster,
            self._store,
            settings.surroundings(),
            settings.patience(),
            self._announcer,
            metrics,
            self._enqueue,
        )
        # The newest version that events told of each kind.
        self._heard = dict.fromkeys(Kind, 0)
        # The version of the last complete list of each kind.
        self._listed = dict.fromkeys(Kind, 0)
        # Set where watches must begin anew.
        self._deaf = {kind: asyncio.Event() for kind in Kind}

    async def run(self) -> None:
        """Act until cancelled."""
        self._metrics.session_began()
        self._metrics.watch_queue(lambda: len(self._queue))
        self._ready.beat("objects", 0)
        try:
            # Pods first: who does not know them would make them again.
            failures = 0
            while not (await self._resync(judge=False) and await self._discover()):
                await pause(failures)
                failures += 1
            async with asyncio.TaskGroup() as group:
                group.create_task(self._queue.run(self._settings.concurrency, self._reconciler.reconcile))
                group.create_task(self._announcer.run())
                group.create_task(self._reconciler.turns.run())
                group.create_task(self._resync_forever())
                group.create_task(self._follow_forever())
                group.create_task(self._follow_pods_forever())
        finally:
            for part in ("resyncs", "watches"):
                self._alive.rest(part)
            self._ready.rest("objects")

    async def _discover(self) -> bool:
        """Find out what the cluster can do; False when it could not be asked."""
        try:
            self._reconciler.can_resize = await self._cluster.can_resize()
        except (ApiError, Unreachable) as error:
            log.warning("discovery_failed", error=str(error))
            return False
        log.info("discovered", can_resize=self._reconciler.can_resize)
        return True

    def _enqueue(self, touched: Touched) -> None:
        for key, spacing, is_new in touched:
            self._queue.add(key, spacing=spacing, is_new=is_new)

    def _told(self, events: list[handlers.Event]) -> None:
        for kind, change, item in events:
            metadata = item["metadata"]
            self._metrics.heard(kind)
            self._heard[kind] = max(self._heard[kind], int(metadata["resourceVersion"]))
            if change == "DELETED":
                self._enqueue(self._store.remove(kind, metadata["name"], metadata["uid"], item))
            else:
                self._enqueue(self._store.put(kind, item))

    async def _follow_forever(self) -> None:
        ours = (self._deaf[Kind.TASK_RUN], self._deaf[Kind.RUNNER_POOL])
        while True:
            for deaf in ours:
                deaf.clear()
            await first_of(
                handlers.follow(self._configuration, self._namespace, self._told), *(deaf.wait() for deaf in ours)
            )
            log.warning("watches_restarted")
            await asyncio.sleep(1.0)

    async def _follow_pods_forever(self) -> None:
        deaf = self._deaf[Kind.POD]
        while True:
            deaf.clear()
            await first_of(self._follow_pods(), deaf.wait())
            log.warning("watch_restarted", kind=Kind.POD)

    async def _follow_pods(self) -> None:
        """Follow Pods from the last list on, until cancelled.

        A run's Pod changes four or five times, and kopf makes a task and loggers each time: where only the change itself is
        wanted, that was a third of the operator's processor time.
        """
        version, failures = self._listed[Kind.POD], 0
        while True:
            before = version
            try:
                async for change, item in self._cluster.changes(Kind.POD, str(version)):
                    version, failures = int(item["metadata"]["resourceVersion"]), 0
                    if change != "BOOKMARK":
                        self._told([(Kind.POD, change, item)])
                if version != before:
                    continue
                log.warning("watch_was_empty", kind=Kind.POD)
            except Expired:
                version = await self._list_pods(version)
            except (ApiError, Unreachable) as error:
                log.warning("watch_failed", kind=Kind.POD, error=str(error))
            await pause(failures)
            failures += 1

    async def _list_pods(self, version: int) -> int:
        """Take all Pods anew; returns the version to go on from, the old one if the API server could not be asked."""
        try:
            await self._compare(Kind.POD)
        except (ApiError, Unreachable) as error:
            log.warning("list_failed", kind=Kind.POD, error=str(error))
            return version
        for key in self._store.known():
            self._queue.add(key)
        return self._listed[Kind.POD]

    async def _resync_forever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.resync_seconds)
            await self._resync(judge=True)

    async def _resync(self, *, judge: bool) -> bool:
        """Compare everything with lists; False when the API server could not be asked.

        Args:
            judge: whether to find out if the watches tell what the lists show.
        """
        seconds = self._settings.resync_seconds
        self._alive.beat("resyncs", 5 * seconds + 60)
        unheard: dict[Kind, int] = {}
        try:
            for kind in (Kind.POD, Kind.RUNNER_POOL, Kind.TASK_RUN):
                unheard[kind] = await self._compare(kind)
        except (ApiError, Unreachable) as error:
            log.warning("resync_failed", error=str(error))
            self._alive.beat("watches", 4 * seconds + 60)
            return False
        self._store.forget()
        for key in self._store.known():
            self._queue.add(key)
        for kind, count in self._store.counts().items():
            self._metrics.objects.labels(kind).set(count)
        self._metrics.resynced.set(time.time())
        self._ready.beat("objects", 3 * seconds + 60)
        if judge:
            await self._judge(unheard)
        else:
            self._alive.beat("watches", 4 * seconds + 60)
        return True

    async def _compare(self, kind: Kind) -> int:
        """Take all objects of a kind as a list shows them; returns the newest version that no event told before."""
        newest, complete = 0, 0
        listed: set[str] = set()
        async for page in self._cluster.pages(kind):
            complete = int(page.version)
            for item in page.items:
                newest = max(newest, self._news(kind, item))
                self._store.put(kind, item)
                listed.add(item["metadata"]["name"])
        self._store.retain(kind, listed, complete)
        self._listed[kind] = complete
        return newest

    def _news(self, kind: Kind, item: dict[str, Any]) -> int:
        """The version of a listed object that no event told before; 0 if one did."""
        version = int(item["metadata"]["resourceVersion"])
        return version if version > self._store.version(kind, item["metadata"]["name"]) else 0

    async def _judge(self, unheard: dict[Kind, int]) -> None:
        """Start the watches again if what a list showed is not heard soon: a watch can die without an error."""
        if any(unheard.values()):
            await asyncio.sleep(LATE_SECONDS)
        missed = [kind for kind, version in unheard.items() if self._heard[kind] < version]
        if missed:
            log.warning("events_missed", kinds=missed)
            self._metrics.missed()
            for kind in missed:
                self._deaf[kind].set()
        else:
            self._alive.beat("watches", 4 * self._settings.resync_seconds + 60)


async def first_of(*coroutines: Coroutine[Any, Any, Any]) -> int:
    """Run all until one returns, cancel the others, and tell which it was."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
    return next(number for number, task in enumerate(tasks) if task in done)
