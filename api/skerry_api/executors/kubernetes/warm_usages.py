"""The price of warm Pods: how long Pods waited for work, added up by the replica that leads.

What a look at the RunnerPools shows is taken to hold until the next. An old leader and a new one may overlap for a moment, and
a write whose answer is lost is done again: such seconds are counted twice. What a process has not written when it dies is lost.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog

from skerry_api.domain.errors import Unavailable
from skerry_api.executors.kubernetes.metrics import Metrics
from skerry_api.storage import warm_usages
from skerry_api.storage.databases import Database
from skerry_api.storage.warm_usages import WarmUsage
from skerry_objects.runner_pools import RunnerPool

log = structlog.get_logger(__name__)

Row = Mapping[Any, Any]
# A workflow's id and a plan.
Key = tuple[str, str]

WRITE_SECONDS = 60.0
# The most that counts of the time between two looks: a machine that was asleep, or away, does not know what waited.
LONGEST_LOOK_SECONDS = 10.0
_LAST_WRITE_SECONDS = 2.0
_HOUR_SECONDS = 3600


class Meter:
    """Pod-seconds by workflow, plan and hour. Pure: it is told what is seen, and the time."""

    def __init__(self) -> None:
        """Nothing has waited yet."""
        self._waiting: dict[Key, int] = {}
        self._seen = 0.0
        self._seconds: defaultdict[tuple[str, str, int], float] = defaultdict(float)

    @property
    def is_waiting(self) -> bool:
        """Whether any Pod waited at the last look."""
        return bool(self._waiting)

    @property
    def usages(self) -> list[WarmUsage]:
        """What was counted and is not recorded."""
        return [WarmUsage(*key, seconds) for key, seconds in self._seconds.items()]

    def look(self, waiting: Mapping[Key, int], moment: float, now: float) -> dict[Key, float]:
        """Count until now what was seen to wait, and from now on what waits; answers the seconds that came.

        Args:
            waiting: how many Pods wait, by workflow and plan.
            moment: by a clock that nobody sets, in seconds.
            now: in seconds since 1970; it says which hour it is.
        """
        elapsed = min(moment - self._seen, LONGEST_LOOK_SECONDS)
        hour = int(now) // _HOUR_SECONDS * _HOUR_SECONDS
        came = {key: elapsed * pods for key, pods in self._waiting.items()}
        for key, seconds in came.items():
            self._seconds[*key, hour] += seconds
        self._waiting = {key: pods for key, pods in waiting.items() if pods > 0}
        self._seen = moment
        return came

    def take_off(self, recorded: Iterable[WarmUsage]) -> None:
        """These were recorded, and nothing was counted meanwhile."""
        for usage in recorded:
            del self._seconds[usage.workflow_id, usage.plan, usage.hour]


class WarmUsages:
    """What waits, as metrics and in the record. What could not be written outlives this replica's leading."""

    def __init__(self, database: Database, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        """Record in `database`, and show in `metrics`; `clock` gives seconds."""
        self._database = database
        self._metrics = metrics
        self._clock = clock
        self._meter = Meter()
        self._slugs: dict[str, str] = {}
        self._next_write = 0.0

    async def look(self, pools: Iterable[RunnerPool], versions: Mapping[str, Row]) -> None:
        """Count what waits in `pools`, but for those that only register; record it once a minute and when nothing waits.

        Raises:
            Unavailable: how many runners have work cannot be read. A write that fails is done later.
        """
        ready = [pool for pool in pools if versions.get(pool.spec.version, {}).get("status") != "registering"]
        waits: Tally[Key] = Tally()
        working = await self._working(ready)
        for pool in ready:
            version = versions.get(pool.spec.version)
            if version is not None:
                self._slugs[version["workflow_id"]] = pool.spec.workflow
                waits[version["workflow_id"], pool.spec.plan] += waiting(pool, working.get(pool.metadata.name, 0))
        moment = self._clock()
        came = self._count(waits, moment)
        self._metrics.pools(states(ready))
        if moment >= self._next_write or (came and not self._meter.is_waiting):
            await self._write()

    async def stop(self) -> None:
        """Record what is left, if that can be done at once: from now on another replica counts."""
        self._count({}, self._clock())
        self._metrics.pools({})
        try:
            async with asyncio.timeout(_LAST_WRITE_SECONDS):
                await self._write()
        except TimeoutError:
            log.warning("warm_usages_delayed", error="the database does not answer")

    def _count(self, waits: Mapping[Key, int], moment: float) -> dict[Key, float]:
        came = self._meter.look(waits, moment, time.time())
        for (workflow_id, plan), seconds in came.items():
            self._metrics.waited(self._slugs[workflow_id], plan, seconds)
        return came

    async def _working(self, pools: Iterable[RunnerPool]) -> dict[str, int]:
        shared = [pool.metadata.name for pool in pools if pool.spec.isolation != "container" and pool.status.idle]
        if not shared:
            return {}
        async with self._database.autocommit() as connection:
            return await warm_usages.fetch_working(connection, shared)

    async def _write(self) -> None:
        usages = self._meter.usages
        if not usages:
            return
        self._next_write = self._clock() + WRITE_SECONDS
        try:
            async with self._database.autocommit() as connection:
                await warm_usages.add_warm_usages(connection, usages)
        except Unavailable as away:
            log.warning("warm_usages_delayed", error=away.message)
        except Exception:
            # Pools are sized whether or not their price can be recorded.
            log.exception("warm_usages_failed")
        else:
            self._meter.take_off(usages)


def waiting(pool: RunnerPool, working: int) -> int:
    """How many Pods of a pool wait or start, of whose runners so many are `working`.

    Where runners take many runs, the status counts those that have some among the idle.
    """
    return max(0, pool.status.idle - working) + pool.status.starting


def states(pools: Iterable[RunnerPool]) -> dict[tuple[str, str, str], int]:
    """Pods by workflow (its slug), plan and state, over all versions."""
    found: Tally[tuple[str, str, str]] = Tally()
    for pool in pools:
        slug, plan, status = pool.spec.workflow, pool.spec.plan, pool.status
        counts = {
            "wanted": pool.spec.replicas,
            "idle": status.idle,
            "starting": status.starting,
            "claimed": status.claimed,
        }
        for state, count in counts.items():
            found[slug, plan, state] += count
    return found
