"""RunnerPools ← demand: how many Pods of each version and plan wait for work, decided on the replica that leads.

Demand is read from the record, so whoever leads next decides the same. The operator makes the Pods; the control plane alone
tells waiting runners to leave, because only it knows which of them has just been given work.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from skerry_api.domain import ids
from skerry_api.domain.errors import Unavailable
from skerry_api.domain.plans import plan_named
from skerry_api.domain.pools import Demand, PoolStanding, WarmPolicy, Wish, excess, wish, wish_shared
from skerry_api.engine.engines import Engine
from skerry_api.executors.kubernetes import templates
from skerry_api.executors.kubernetes.decisions import start_seconds
from skerry_api.executors.kubernetes.metrics import Metrics
from skerry_api.executors.kubernetes.reflections import Reflection
from skerry_api.executors.kubernetes.templates import PodDefaults
from skerry_api.executors.kubernetes.warm_usages import WarmUsages
from skerry_api.storage import launches, pools, workflows
from skerry_api.storage.pools import PoolRecord
from skerry_objects import names
from skerry_objects.clients import RUNNER_POOLS, ApiError, Client, Unreachable
from skerry_objects.runner_pools import RunnerPool
from skerry_objects.task_runs import Phase, Reason, TaskRun
from skerry_objects.workflows import Warm, Workflow

log = structlog.get_logger(__name__)

Row = Mapping[Any, Any]

LOOK_SECONDS = 1.0
# While nothing waits or is wanted: what is triggered then queues, and that wakes.
IDLE_LOOK_SECONDS = 5.0
# What is counted again at every look: commits come late, and clocks of replicas differ.
OVERLAP_SECONDS = 5.0
# A Pod's way to its first assignment before any was measured; what is measured is smoothed.
START_SECONDS = 3.0
_SMOOTHING = 0.2
# A Pod that waited for a node or an image tells nothing of the next one.
_LONGEST_START_SECONDS = 30.0
_WAITING = frozenset({None, Phase.PENDING, Phase.STARTING})
_PRESSED = frozenset({Reason.NO_ROOM, Reason.QUOTA_EXCEEDED})
# The operator's view of Pods that were told to leave is this old at most.
SETTLING_SECONDS = 5.0


@dataclass(slots=True)
class _Counts:
    arrivals: dict[int, int]
    expected: dict[int, int]
    loads: dict[int, int]


@dataclass(frozen=True, slots=True)
class _Use:
    """What TaskRuns say of pools: which they name, which have runs that wait for Pods, and whether any waits for room."""

    pools: frozenset[str]
    behind: frozenset[str]
    is_pressed: bool


class Pools:
    """Sizes RunnerPools."""

    def __init__(
        self,
        engine: Engine,
        client: Client,
        namespace: str,
        pods: PodDefaults,
        warm: WarmPolicy,
        seen: Reflection[RunnerPool],
        released: Reflection[Workflow],
        runs: Reflection[TaskRun],
        metrics: Metrics,
        usages: WarmUsages,
    ) -> None:
        """`warm` holds for workflows that say nothing else."""
        self._engine = engine
        self._client = client
        self._namespace = namespace
        self._pods = pods
        self._warm = warm
        self._seen = seen
        self._released = released
        self._runs = runs
        self._metrics = metrics
        self._usages = usages
        self._counts: defaultdict[str, _Counts] = defaultdict(lambda: _Counts({}, {}, {}))
        self._start_seconds = START_SECONDS
        self._counted = 0.0
        # What the record says; None until this replica has removed what the one that led before left of pools that are gone.
        self._written: dict[str, PoolRecord] | None = None
        self._dismissed: dict[str, float] = {}
        # Pools that were told how small their Pods may wait: definitions older than this release drop it.
        self._told: set[str] = set()
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Something was queued."""
        self._wake.set()

    def observe(self, run: TaskRun) -> None:
        """Learn from a run that has a Pod of its own how long Pods take to start."""
        took = start_seconds(run) if run.status.phase is Phase.RUNNING else None
        if took is not None:
            seconds = min(max(0.5, took), _LONGEST_START_SECONDS)
            self._start_seconds += _SMOOTHING * (seconds - self._start_seconds)

    async def run(self) -> None:
        """Size until cancelled."""
        while True:
            try:
                if self._seen.objects or self._released.objects:
                    await self._look()
                else:
                    await self._usages.look((), {})
            except (Unavailable, Unreachable, ApiError) as error:
                log.warning("pools_delayed", error=str(error))
            except Exception:
                # One bad look must not end all; the next one sees the same.
                log.exception("pools_failed")
            await asyncio.sleep(LOOK_SECONDS)
            idle = not any(pool.spec.replicas or pool.status.replicas for pool in self._seen.objects.values())
            try:
                async with asyncio.timeout(IDLE_LOOK_SECONDS - LOOK_SECONDS if idle else 0):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _look(self) -> None:
        self._wake.clear()
        now = time.time()
        await self._count(now)
        versions = await self._versions()
        await self._usages.look(self._seen.objects.values(), versions)
        await self._ensure_least(versions)
        use = _use(self._runs.objects.values())
        records = []
        for name, pool in list(self._seen.objects.items()):
            version = versions.get(pool.spec.version)
            if version is not None and version["status"] == "registering":
                continue
            standing = self._standing(pool, version, use)
            if not standing.is_current and _is_empty(pool) and name not in use.pools:
                with self._metrics.asking():
                    await self._client.delete(RUNNER_POOLS, self._namespace, name)
                continue
            records.append(await self._size(name, pool, version, standing, now))
        await self._record(records)

    async def _count(self, now: float) -> None:
        """Take note of what came since the last look."""
        longest = max((self._policy(slug).idle_seconds for slug in self._released.objects), default=0.0)
        since = max(now - max(longest, self._warm.idle_seconds), self._counted - OVERLAP_SECONDS)
        first_id = ids.new_id(ids.RUN, since - OVERLAP_SECONDS)
        async with self._engine.database.autocommit() as connection:
            came = await pools.fetch_arrivals(connection, since, first_id)
            # Children belong to the second in which they are counted: a replica that begins to lead counts none of before.
            fresh = max(since, (self._counted or now) - 1)
            following = await pools.fetch_children(connection, fresh, first_id) if came else []
            shared = [name for name, pool in self._seen.objects.items() if pool.spec.isolation != "container"]
            loads = await pools.fetch_loads(connection, shared) if shared else {}
        for name, load in loads.items():
            self._counts[name].loads[int(now)] = load
        for name, second, count in came:
            arrivals = self._counts[name].arrivals
            # The first second may be cut; what was counted before is at least as much.
            arrivals[int(second)] = max(count, arrivals.get(int(second), 0))
        for version, plan, count in following:
            self._counts[names.pool_name(version, plan)].expected[int(now)] = count
        self._counted = now
        oldest = now - max(longest, self._warm.idle_seconds)
        for counts in self._counts.values():
            for kept in (counts.arrivals, counts.expected, counts.loads):
                for second in [second for second in kept if second < oldest]:
                    del kept[second]

    async def _versions(self) -> dict[str, Row]:
        """The versions of all RunnerPools, and those in use."""
        wanted = {pool.spec.version for pool in self._seen.objects.values()}
        wanted |= {seen.status.version for seen in self._released.objects.values() if seen.status.version}
        async with self._engine.database.autocommit() as connection:
            return await workflows.fetch_versions_by_id(connection, sorted(wanted))

    def _current(self, slug: str) -> str | None:
        seen = self._released.objects.get(slug)
        return None if seen is None else seen.status.version

    def _policy(self, slug: str) -> WarmPolicy:
        seen = self._released.objects.get(slug)
        return policy_of(None if seen is None else seen.spec.warm, self._warm)

    async def _ensure_least(self, versions: Mapping[str, Row]) -> None:
        """Make the RunnerPools in which some should wait and that are not there: always, or for what comes."""
        async with self._engine.database.autocommit() as connection:
            queues = await pools.fetch_shared_queues(connection)
        for queue in queues:
            if queue.pool not in self._seen.objects:
                await self._make(queue.workflow, queue.version_id, queue.plan)
        for slug in self._released.objects:
            version = self._current(slug)
            if version is None or version not in versions:
                continue
            tasks = await self._engine.registry.tasks_of(version)
            for plan in sorted({stored.task.plan for stored in tasks.values()}):
                name = names.pool_name(version, plan)
                needed = self._policy(slug).least or self._counts[name].expected
                if needed and name not in self._seen.objects:
                    await self._make(slug, version, plan)

    async def _make(self, slug: str, version: str, plan: str) -> None:
        async with self._engine.database.autocommit() as connection:
            source = await launches.fetch_source(connection, version)
        if source is None:
            return
        pool = templates.runner_pool(slug, version, plan_named(plan), source, self._pods, replicas=0)
        try:
            with self._metrics.asking():
                await self._client.create(RUNNER_POOLS, self._namespace, pool.to_json())
        except ApiError as error:
            if error.status != 409:
                raise

    async def _size(
        self, name: str, pool: RunnerPool, version: Row | None, standing: PoolStanding, now: float
    ) -> PoolRecord:
        counts = self._counts[name]
        demand = Demand(counts.arrivals, counts.expected, self._start_seconds)
        policy = self._policy(pool.spec.workflow)
        if pool.spec.isolation == "container":
            wanted = wish(policy, demand, standing, now)
        else:
            wanted = wish_shared(policy, counts.loads, pool.spec.capacity, standing, now)
        change = templates.pool_change(pool, self._pods, wanted.count)
        if name in self._told:
            change.pop("idleRequests", None)
        if change:
            with self._metrics.asking():
                await self._client.patch(RUNNER_POOLS, self._namespace, name, {"spec": change})
        if "idleRequests" in change:
            self._told.add(name)
        if pool.spec.replicas != wanted.count:
            log.info("pool_sized", pool=name, replicas=wanted.count, before=pool.spec.replicas, why=wanted.why)
        return self._described(name, pool, version, wanted)

    def _standing(self, pool: RunnerPool, version: Row | None, use: _Use) -> PoolStanding:
        slug, status = pool.spec.workflow, pool.status
        current = self._current(slug)
        is_current = current == pool.spec.version and version is not None and version["status"] == "ready"
        waiting = next((entry for entry in status.conditions if entry.type == "Waiting"), None)
        ready = next((entry for entry in status.conditions if entry.type == "Ready"), None)
        problem = waiting or (ready if ready is not None and ready.status == "False" else None)
        held_up = problem.reason if problem is not None and problem.reason != "Starting" else None
        return PoolStanding(
            is_current=is_current,
            successor_warms=not is_current and self._successor_warms(slug, pool.spec.plan),
            idle=status.replicas,
            running=status.idle,
            held_up=held_up,
            is_pressed=use.is_pressed,
            is_behind=pool.metadata.name in use.behind,
        )

    def _successor_warms(self, slug: str, plan: str) -> bool:
        current, least = self._current(slug), self._policy(slug).least
        if current is None or not least:
            return False
        successor = self._seen.objects.get(names.pool_name(current, plan))
        return successor is not None and successor.status.idle < least

    def _described(self, name: str, pool: RunnerPool, version: Row | None, wanted: Wish) -> PoolRecord:
        status = pool.status
        too_many = excess(wanted.count, status.idle)
        if too_many and time.monotonic() - self._dismissed.get(name, -SETTLING_SECONDS) < SETTLING_SECONDS:
            too_many = -1  # Told already; the operator will show it.
        return PoolRecord(
            name=name,
            workflow_id="" if version is None else version["workflow_id"],
            version_id=pool.spec.version,
            plan=pool.spec.plan,
            wanted=wanted.count,
            why=wanted.why,
            idle=status.idle,
            starting=status.starting,
            claimed=status.claimed,
            excess=too_many,
        )

    async def _record(self, records: Sequence[PoolRecord]) -> None:
        """Write what is news."""
        is_first = self._written is None
        written = self._written or {}
        changed = [record for record in records if record.excess >= 0 and written.get(record.name) != record]
        gone = written.keys() - {record.name for record in records}
        if not (changed or gone or is_first):
            return
        async with self._engine.database.transaction() as connection:
            if changed:
                await pools.write_pools(connection, changed)
            if gone or is_first:
                await pools.delete_pools(connection, sorted(self._seen.objects))
        self._written = written
        for record in changed:
            if record.excess:
                self._dismissed[record.name] = time.monotonic()
            # One with an excess is written again, until there is none: those who should leave may have been away.
            written[record.name] = record
            if record.excess:
                del written[record.name]
        for name in gone:
            del written[name]


def _use(runs: Iterable[TaskRun]) -> _Use:
    named, behind, is_pressed = set(), set(), False
    for run in runs:
        named.add(run.spec.pool_ref)
        if run.status.phase in _WAITING and run.spec.pod_name is None:
            behind.add(run.spec.pool_ref)
            is_pressed = is_pressed or run.status.reason in _PRESSED
    return _Use(frozenset(named), frozenset(behind), is_pressed)


def _is_empty(pool: RunnerPool) -> bool:
    status = pool.status
    return not (pool.spec.replicas or status.replicas or status.claimed) and status.observed_generation is not None


def policy_of(warm: Warm | None, default: WarmPolicy) -> WarmPolicy:
    """What a workflow wants, where it says so, and else what holds for all."""
    if warm is None:
        return default
    least = default.least if warm.min is None else warm.min
    most = default.most if warm.max is None else warm.max
    idle_seconds = default.idle_seconds if warm.idle_seconds is None else float(warm.idle_seconds)
    return WarmPolicy(least, max(least, most), idle_seconds)
