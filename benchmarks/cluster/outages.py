"""What goes wrong during a soak, at random moments: Pods of every part disappear, runs are cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable

from benchmarks.cluster.loads import Load
from benchmarks.cluster.standbys import WORKFLOW
from skerry_objects.clients import PODS, ApiError, Client
from tests.end_to_end.clusters import CommandFailed
from tests.end_to_end.installations import Installation

PAUSE_SECONDS = (2.0, 10.0)
# Postgres needs a moment to recover and everybody else one to find it.
POSTGRES_SECONDS = 60.0
POSTGRES = "skerry-postgres-0"
# How long a run may take to get a Pod that waits; after that it is a cold one, whose Pod is not there yet.
CLAIM_SECONDS = 2.0
# At most so long after its trigger a run is cancelled; it takes two seconds by itself.
CANCEL_SECONDS = 3.0


class Outages:
    """The faults of one soak, and how many of each there were."""

    def __init__(self, installation: Installation, client: Client, load: Load, chance: random.Random) -> None:
        self._installation = installation
        self._client = client
        self._load = load
        self._chance = chance
        self._postgres_at = time.monotonic()
        self.injected: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self.last = "nothing yet"
        self.kinds: dict[str, Callable[[], Awaitable[bool]]] = {
            "operator deleted": lambda: self._delete_component("operator"),
            "control plane deleted": lambda: self._delete_component("control-plane"),
            "waiting Pod deleted": self._delete_waiting,
            "Pod deleted as it is claimed": self._delete_claimed,
            "Postgres deleted": self._delete_postgres,
            "run cancelled": self._cancel,
        }

    async def run(self, seconds: float) -> None:
        """Let things go wrong for a while, one at a time; where there is nothing to hit, something else does."""
        end = time.monotonic() + seconds
        while (pause := self._chance.uniform(*PAUSE_SECONDS)) < end - time.monotonic():
            await asyncio.sleep(pause)
            for kind in self._chance.sample(sorted(self.kinds), len(self.kinds)):
                if await self._inject(kind):
                    break

    async def _inject(self, kind: str) -> bool:
        try:
            done = await self.kinds[kind]()
        except (CommandFailed, ApiError):  # what was to be hit has just gone by itself
            done = False
        (self.injected if done else self.missed)[kind] += 1
        if done:
            self.last = kind
        return done

    async def _delete_component(self, component: str) -> bool:
        own = self._installation.own
        selector = f"app.kubernetes.io/component={component}"
        names = await asyncio.to_thread(own.names, "pods", "--selector", selector)
        return bool(names) and await self._delete(own.name, self._chance.choice(sorted(names)))

    async def _delete_waiting(self) -> bool:
        selector = ("--selector", f"skerry.dev/workflow={WORKFLOW},!skerry.dev/run")
        tasks = self._installation.tasks
        names = await asyncio.to_thread(tasks.names, "pods", *selector, "--field-selector", "status.phase=Running")
        return bool(names) and await self._delete(tasks.name, self._chance.choice(sorted(names)))

    async def _delete_claimed(self) -> bool:
        """Trigger a run, and delete the Pod that it was given as soon as the record names one."""
        promise = await self._load.start("slow")
        if not promise.ids:
            return False
        pod = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLAIM_SECONDS):
                while pod is None:
                    await self._load.look(promise)
                    pod = promise.run["attempts"][-1].get("podName") if promise.run["attempts"] else None
        return pod is not None and await self._delete(self._installation.tasks.name, pod)

    async def _delete(self, namespace: str, pod: str) -> bool:
        """Delete a Pod as the loss of its node would: nobody in it is asked."""
        return await self._client.delete(PODS, namespace, pod, grace_seconds=0)

    async def _delete_postgres(self) -> bool:
        """Delete its Pod, with too little time for Postgres to close, which would wait for its clients: it ends as in a crash.

        Not by force: a second server would start on the data while the first still runs. Nor by ending its process: the kubelet
        lets a container that ends again and again wait for longer and longer.
        """
        if time.monotonic() - self._postgres_at < POSTGRES_SECONDS:
            return False
        self._postgres_at = time.monotonic()
        return await self._client.delete(PODS, self._installation.own.name, POSTGRES, grace_seconds=1)

    async def _cancel(self) -> bool:
        """Trigger a run, and cancel it while it waits, starts or runs; or when it is just over."""
        promise = await self._load.start("slow")
        await asyncio.sleep(self._chance.uniform(0, CANCEL_SECONDS))
        if promise.ids:
            await self._load.cancel(promise)
        return bool(promise.ids)
