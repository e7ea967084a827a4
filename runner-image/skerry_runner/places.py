"""Where attempts are carried out: in processes of their own, some of which wait ahead, or in shared workers."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from skerry_runner.attempts import Attempt
from skerry_runner.crowds import CORES
from skerry_runner.events import log
from skerry_runner.memory import OomCounter
from skerry_runner.messages import Limits
from skerry_runner.outcomes import Memory, Raised
from skerry_runner.processes import Background, Nursery
from skerry_runner.settings import Settings
from skerry_runner.slots import Exit, Slot
from skerry_runner.tenants import PATIENCE_SECONDS, RunTenant

if TYPE_CHECKING:
    from skerry_runner.zygotes import Zygote

# Forked processes waiting ahead: enough that a burst is not served one fork at a time, few enough to cost little.
MOST_STANDBYS = 4
REPLACE_SECONDS = 0.006
# The end of a process takes its system longer than a short run, and that of a Pod its node. Where one waited, others of a
# burst may be about to begin.
REST_SECONDS = 1.0


class Places(Protocol):
    """What carries out attempts."""

    def start(self) -> None:
        """Prepare for the first attempt."""

    def place(self, attempt: Attempt) -> None:
        """Carry out an attempt now, or as soon as a process is there."""

    def withdraw(self, attempt: Attempt) -> None:
        """An attempt has ended, perhaps before it was placed."""

    def fill(self) -> None:
        """Start what is missing: a slot has become free."""

    def rest(self) -> None:
        """Keep nothing ahead any more: the runner is about to leave."""

    @property
    def queued(self) -> int:
        """Attempts that wait for a process."""

    @property
    def lingering(self) -> bool:
        """Whether there is a process that leaves by itself, or is made to, once its attempt is over."""

    def close(self) -> None:
        """End everything."""


class Slots:
    """All slots of the runner: more are opened when more are needed, and kept."""

    def __init__(self, directory: Path, limits: Limits, background: Background) -> None:
        """Slots live in `directory`."""
        self.on_free: Callable[[], None] = lambda: None
        self._directory = directory
        self._limits = limits
        self._background = background
        self._free: deque[Slot] = deque()
        self._opening = 0
        self.all: list[Slot] = []

    async def open(self, count: int) -> None:
        """Open `count` slots."""
        for _ in range(count):
            slot = Slot(len(self.all), self._directory, self._limits, self._release)
            self.all.append(slot)
            await slot.open()
            self._free.append(slot)

    def acquire(self) -> Slot | None:
        """A free slot; without one, None, and another is opened."""
        if self._free:
            return self._free.popleft()
        if not self._opening:
            self._opening = 1
            self._background(self._open_more())
        return None

    @property
    def occupied(self) -> list[Slot]:
        """Slots with a process."""
        return [slot for slot in self.all if slot.tenant is not None]

    def close(self) -> None:
        """Close all."""
        for slot in self.all:
            slot.close()

    async def _open_more(self) -> None:
        await self.open(1)
        self._opening = 0
        self.on_free()

    def _release(self, slot: Slot) -> None:
        self._free.append(slot)
        self.on_free()


class ProcessPlaces:
    """A process for each attempt, forked from a zygote or started afresh."""

    def __init__(self, settings: Settings, slots: Slots, nursery: Nursery, background: Background) -> None:
        """Use `slots`."""
        self.linger_seconds = settings.linger_seconds
        self.rest_seconds = REST_SECONDS if settings.awaits_work and settings.isolation == "container" else 0.0
        self._settings = settings
        self._slots = slots
        self._nursery = nursery
        self._zygote = self._make_zygote(background) if settings.forks else None
        self._oom = OomCounter()
        self._queue: deque[Attempt] = deque()
        self._ready: deque[RunTenant] = deque()
        self._starting: set[RunTenant] = set()
        self._ahead = self._standbys = self._wanted_standbys()
        self._filling: asyncio.TimerHandle | None = None
        # Called when a process waits that can begin at once.
        self.on_ready: Callable[[], None] = lambda: None

    def _make_zygote(self, background: Background) -> Zygote:
        from skerry_runner.zygotes import Zygote  # a Pod for one run forks nothing, and starts as fast as it can

        return Zygote(self._settings, self._nursery, self._fail_all, background)

    def start(self) -> None:
        """Import the application, and have processes wait ahead."""
        if self._zygote is not None:
            self._zygote.launch()
        self.fill()

    def place(self, attempt: Attempt) -> None:
        """Give the attempt to a waiting process, or let it wait for the next one."""
        self._ahead = self._standbys
        if self._settings.isolation == "container":
            self._ahead = self._standbys = 0
        if self._ready:
            self._ready.popleft().take(attempt)
        else:
            self._queue.append(attempt)
        self.fill()

    def withdraw(self, attempt: Attempt) -> None:
        """Forget a queued attempt."""
        if attempt.host is None and attempt in self._queue:
            self._queue.remove(attempt)

    def fill(self) -> None:
        """Start processes until everyone in the queue has one and there are standbys: at once where that helps, else soon.

        Replacing a standby takes as much CPU as a short run: while others still stand by, the run that just began goes
        first. And while every core has a process to run, starting several together takes less than one after the other.
        """
        if (self._queue or not self._ready) and self._working < CORES:
            self._fill_now()
        elif self._filling is None:
            self._filling = asyncio.get_running_loop().call_later(REPLACE_SECONDS, self._fill_now)

    def _fill_now(self) -> None:
        if self._filling is not None:
            self._filling.cancel()
            self._filling = None
        while len(self._starting) + len(self._ready) < len(self._queue) + self._spare():
            slot = self._slots.acquire()
            if slot is None:
                return
            tenant = RunTenant(slot, self)
            self._starting.add(tenant)
            self._launch(slot, tenant)

    @property
    def _working(self) -> int:
        """Processes that have an attempt."""
        return len(self._slots.occupied) - len(self._starting) - len(self._ready)

    def rest(self) -> None:
        """End the standbys."""
        self._ahead = self._standbys = 0
        ready, self._ready = self._ready, deque()
        for tenant in ready:
            tenant.dismiss()

    @property
    def queued(self) -> int:
        """Attempts without a process."""
        return len(self._queue)

    @property
    def lingering(self) -> bool:
        """Whether a process has or had an attempt."""
        return self._working > 0

    def close(self) -> None:
        """End everything."""
        self.rest()
        for slot in self._slots.occupied:
            slot.kill(signal.SIGKILL)
        if self._zygote is not None:
            self._zygote.close()

    # What processes tell.

    def process_asks(self, tenant: RunTenant) -> None:
        """A process wants its input."""
        self._starting.discard(tenant)
        if self._queue:
            tenant.take(self._queue.popleft())
            self.fill()
        elif len(self._ready) >= self._ahead:
            tenant.dismiss()
        else:
            self._ready.append(tenant)
            self.on_ready()
            if self._settings.command:
                asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._expire, tenant)

    def process_withdraws(self, tenant: RunTenant) -> None:
        """A process no longer waits, but may ask again."""
        if tenant in self._ready:
            self._ready.remove(tenant)
            self._starting.add(tenant)

    def process_ended_early(self, tenant: RunTenant, end: Exit) -> None:
        """A process ended before it had an attempt: the first in the queue, which waits for a process, learns why."""
        self._starting.discard(tenant)
        if tenant in self._ready:
            self._ready.remove(tenant)
        if tenant.stopped or end.lost is not None:
            return
        if self._queue:
            attempt = self._queue.popleft()
            tenant.hand_over(attempt)
            attempt.memory = self.memory_of(end, attempt)
            attempt.settle(wait_status=end.status, asked_input=tenant.asked_at is not None)
        else:
            # Nobody to tell. The next attempt will try again, and hear of it.
            self._ahead = 0
            log.warning("standby_ended", status=end.status)

    def memory_of(self, end: Exit, attempt: Attempt) -> Memory | None:
        """Whether the kernel killed the process for its memory, by the cgroup's own count."""
        if end.status is None or not os.WIFSIGNALED(end.status) or os.WTERMSIG(end.status) != signal.SIGKILL:
            return None
        if not self._oom.grew():
            return None
        plan = attempt.assignment["plan"]
        return Memory(end.max_rss_bytes, plan["memory_bytes"] if plan else self._oom.allowed_bytes())

    def _launch(self, slot: Slot, tenant: RunTenant) -> None:
        if self._zygote is not None:
            self._zygote.start(slot)
            return
        try:
            self._nursery.start(slot, "run")
        except OSError as error:
            program = self._settings.program[0]
            self._fail_all(Raised(f"{program} cannot be started: {error.strerror or error}", type(error).__name__))
            slot.ended(Exit(None, lost=f"{program} cannot be started"))
            return
        asyncio.get_running_loop().call_later(self._settings.start_seconds, self._too_slow, tenant)

    def _fail_all(self, error: Raised) -> None:
        """Nothing can be started: whoever waits fails with the reason, and nothing is tried before the next attempt."""
        log.error("cannot_start", error=error.message)
        self._ahead = 0
        queue, self._queue = self._queue, deque()
        for attempt in queue:
            attempt.settle(broken=error)

    def _expire(self, tenant: RunTenant) -> None:
        if tenant in self._ready:
            self._ready.remove(tenant)
            self._ahead = 0
            tenant.dismiss()

    def _too_slow(self, tenant: RunTenant) -> None:
        if tenant not in self._starting or tenant.asked_at is not None:
            return
        if self._queue:
            seconds = self._settings.start_seconds
            error = Raised(f"the program did not ask for its input within {seconds:g} s", "ImportTimeout")
            self._queue.popleft().settle(broken=error)
        self._starting.discard(tenant)
        tenant.dismiss()

    def _spare(self) -> int:
        # A whole program that starts ahead would slow down the one that somebody waits for.
        return 0 if self._zygote is None and self._queue else self._ahead

    def _wanted_standbys(self) -> int:
        if not self._settings.preload:
            return 0
        # A foreign program holds only so long, and each costs a whole start: one is enough to hide its import time.
        return min(self._settings.capacity, MOST_STANDBYS) if self._zygote is not None else 1
