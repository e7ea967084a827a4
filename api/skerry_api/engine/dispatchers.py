"""Which runner takes which attempt.

A ready run goes straight to an idle runner of this process, in the statement that records it. Otherwise it is queued, and
whichever process has a free slot of its pool claims it. Claims are made when a slot frees, when work is queued, when another
process says so, and once a second in any case.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from skerry_api.domain.errors import Unavailable
from skerry_api.engine.peers import Peers
from skerry_api.engine.registries import Registry
from skerry_api.engine.settings import EngineSettings
from skerry_api.storage.assignments import Assignment
from skerry_api.storage.writers import Writer
from skerry_objects.names import version_of

log = structlog.get_logger(__name__)

CLAIM_SIZE = 256


class Slot(Protocol):
    """A connected runner, as far as dispatch is concerned."""

    runner_id: str
    pool: str
    workflow_id: str
    # Of a Pod that waits for work; both None for any other runner.
    pod_name: str | None
    node: str | None
    # Whether a TaskRun is to be made for what it is given.
    adopts: bool
    reserved: int
    # Whether a write that may have given it an attempt had no answer: then the record must be asked.
    uncertain: bool

    @property
    def free(self) -> int:
        """How many more attempts it may be given now."""
        ...

    def assign(self, assignment: Assignment, company: int) -> None:
        """Give it an attempt for which a slot was reserved; `company` such attempts begin on its node in this moment."""
        ...


@dataclass(slots=True)
class Pool:
    """The runners of one version that are connected to this process."""

    name: str
    workflow_id: str
    # In order of use, so that work goes round; only runners with a free slot are in it.
    idle: dict[str, Slot] = field(default_factory=dict)
    slots: dict[str, Slot] = field(default_factory=dict)
    # Whether there may be queued work: then nothing may overtake it.
    queued: bool = True
    claiming: bool = False


class Dispatcher:
    """Brings queued attempts and free runners together."""

    def __init__(self, settings: EngineSettings, writer: Writer, registry: Registry, peers: Peers) -> None:
        """Claim through `writer`."""
        self._settings = settings
        self._writer = writer
        self._registry = registry
        self._peers = peers
        self._pools: dict[str, Pool] = {}
        # Called with its pool when work is queued or becomes ready, for an executor that starts runners on demand.
        self.on_queued: Callable[[str], None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._handed_over: list[tuple[Slot, Assignment]] = []

    def join(self, slot: Slot) -> None:
        """A runner is connected and can be given work."""
        pool = self._pools.setdefault(slot.pool, Pool(slot.pool, slot.workflow_id))
        pool.slots[slot.runner_id] = slot
        pool.queued = True
        self.freed(slot)

    def leave(self, slot: Slot) -> None:
        """A runner is gone or takes no more work."""
        pool = self._pools.get(slot.pool)
        if pool is None or pool.slots.get(slot.runner_id) is not slot:
            return
        del pool.slots[slot.runner_id]
        pool.idle.pop(slot.runner_id, None)
        if not pool.slots:
            del self._pools[slot.pool]

    def reserve(self, pool_name: str, workflow_id: str, lane: str) -> Slot | None:
        """A free slot for a run that is being stored now; None when it must queue, as all do whose number is limited."""
        pool = self._pools.get(pool_name)
        if pool is None or pool.queued or not pool.idle:
            return None
        if lane or self._registry.concurrency_limit(workflow_id) is not None:
            return None
        slot = next(iter(pool.idle.values()))
        self._take(pool, slot)
        return slot

    def _take(self, pool: Pool, slot: Slot) -> None:
        slot.reserved += 1
        pool.idle.pop(slot.runner_id, None)
        if slot.free > 0:
            pool.idle[slot.runner_id] = slot

    def give_back(self, slot: Slot) -> None:
        """A reserved slot was not needed."""
        slot.reserved -= 1
        self.freed(slot)

    def hand_over(self, slot: Slot, assignment: Assignment) -> None:
        """Give a runner an attempt for which a slot was reserved, together with all that the same commit recorded."""
        self._handed_over.append((slot, assignment))
        if len(self._handed_over) == 1:
            asyncio.get_running_loop().call_soon(self._assign_all)

    def _assign_all(self) -> None:
        handed_over, self._handed_over = self._handed_over, []
        company = Counter(slot.node for slot, _ in handed_over)
        for slot, assignment in handed_over:
            # One by one, so that an assignment that fails takes no other with it.
            asyncio.get_running_loop().call_soon(slot.assign, assignment, company[slot.node])

    async def assigned(self) -> None:
        """Wait until what was handed over is on its way: counted, assigned and sent, each by one more turn of the loop."""
        for _ in range(3):
            await asyncio.sleep(0)

    def freed(self, slot: Slot) -> None:
        """A runner may have a free slot again."""
        pool = self._pools.get(slot.pool)
        if pool is None or slot.free <= 0 or pool.slots.get(slot.runner_id) is not slot:
            return
        pool.idle[slot.runner_id] = slot
        self._claim_soon(pool)

    def limit_freed(self, pool_name: str, workflow_id: str) -> None:
        """An attempt of a workflow ended or waits: if the workflow or its tasks have limits, queued work may go on."""
        if self._registry.concurrency_limit(workflow_id) is not None or self._registry.lanes(version_of(pool_name)):
            self.wake(pool_name)
            self._peers.tell(pool=pool_name)

    def queued(self, pool_name: str, delay_seconds: float) -> None:
        """An attempt was queued here; it is ready after `delay_seconds`."""
        if delay_seconds > 0:
            if delay_seconds < 600:  # Later ones are found by the poll: a timer each would only take memory.
                asyncio.get_running_loop().call_later(delay_seconds, self.queued, pool_name, 0.0)
            return
        self.wake(pool_name)
        self._peers.tell(pool=pool_name)

    def wake(self, pool_name: str) -> None:
        """A pool may have ready work."""
        if self.on_queued is not None:
            self.on_queued(pool_name)
        pool = self._pools.get(pool_name)
        if pool is not None:
            pool.queued = True
            self._claim_soon(pool)

    def hungry_pools(self) -> list[str]:
        """Pools whose runners have free slots: those whose queue is worth a look."""
        return [name for name, pool in self._pools.items() if pool.idle]

    def describe_pools(self) -> list[dict[str, Any]]:
        """The pools with runners on this process, for people."""
        return [
            {
                "id": pool.name,
                "workflowVersionId": pool.name,
                "workflowId": pool.workflow_id,
                "runners": len(pool.slots),
                "freeSlots": sum(max(0, slot.free) for slot in pool.slots.values()),
            }
            for pool in self._pools.values()
        ]

    def _claim_soon(self, pool: Pool) -> None:
        if pool.queued and pool.idle and not pool.claiming:
            pool.claiming = True
            task = asyncio.create_task(self._claim(pool), name=f"claim {pool.name}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _claim(self, pool: Pool) -> None:
        try:
            while pool.queued and pool.idle:
                reserved = self._reserve_all(pool)
                pool.queued = False
                try:
                    await self._registry.tasks_of(version_of(pool.name))
                    claimed = await self._writer.claim(
                        pool.name,
                        pool.workflow_id,
                        reserved,
                        self._registry.concurrency_limit(pool.workflow_id),
                        self._registry.lanes(version_of(pool.name)),
                        start_ms=int(self._settings.start_seconds * 1000),
                        inline_bytes=self._settings.limits.inline_bytes,
                    )
                except BaseException:
                    pool.queued = True
                    for slot in reserved:
                        slot.uncertain = True
                    self._return(reserved)
                    raise
                self._give(pool, claimed, reserved)
                if len(claimed) == len(reserved):
                    pool.queued = True
        except Unavailable as error:
            log.warning("claim_failed", pool=pool.name, error=error.message)
        finally:
            pool.claiming = False

    def _reserve_all(self, pool: Pool) -> list[Slot]:
        reserved: list[Slot] = []
        while pool.idle and len(reserved) < CLAIM_SIZE:
            slot = next(iter(pool.idle.values()))
            self._take(pool, slot)
            reserved.append(slot)
        return reserved

    def _give(self, pool: Pool, claimed: Iterable[Assignment], reserved: list[Slot]) -> None:
        left = list(reserved)
        for assignment in claimed:
            slot = next(slot for slot in left if slot.runner_id == assignment.runner_id)
            left.remove(slot)
            self.hand_over(slot, assignment)
        self._return(left)

    def _return(self, slots: Iterable[Slot]) -> None:
        for slot in slots:
            slot.reserved -= 1
            pool = self._pools.get(slot.pool)
            if pool is not None and slot.free > 0 and pool.slots.get(slot.runner_id) is slot:
                pool.idle[slot.runner_id] = slot

    async def stop(self) -> None:
        """Let the claims under way finish."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)
