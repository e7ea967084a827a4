"""One active operator: it holds a Lease and renews it; a standby takes over when the Lease has not moved for its duration.

As client-go does it, clocks of different machines are never compared: what counts is for how long *we* saw no change.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from skerry_objects.clients import ApiError, Unreachable
from skerry_operator.clusters import LeaseCluster
from skerry_operator.metrics import Pulse

log = structlog.get_logger(__name__)

Json = dict[str, Any]

STALLED_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Terms:
    """Seconds of the Lease's life.

    A holder stops acting `deadline` after its last renewal; others wait `duration`, so two never act. The worst take-over
    is `duration` + `retry` + one request: under 20 s.
    """

    duration: float = 15.0
    deadline: float = 10.0
    retry: float = 2.0


class Contest:
    """Whether a Lease may be taken, from what was seen of it and when."""

    def __init__(self, identity: str) -> None:
        """Contend as `identity`."""
        self._identity = identity
        self._seen: tuple[object, ...] | None = None
        self._since = 0.0

    def may_take(self, lease: Json, now: float) -> bool:
        """Whether nobody else holds it. `now` is monotonic."""
        spec = lease.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        state = (holder, spec.get("renewTime"), spec.get("leaseTransitions"))
        if state != self._seen:
            self._seen, self._since = state, now
        duration = float(spec.get("leaseDurationSeconds") or 0)
        return holder in ("", self._identity) or now - self._since > duration


class Lease:
    """Our part in the contest for one Lease."""

    def __init__(
        self,
        cluster: LeaseCluster,
        identity: str,
        alive: Pulse,
        ready: Pulse,
        terms: Terms | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Contend as `identity`; tell `alive` of every try, and `ready` of every answer."""
        self._cluster = cluster
        self._identity = identity
        self._alive = alive
        self._ready = ready
        self._terms = terms or Terms()
        self._clock = clock
        self._contest = Contest(identity)
        self._held: Json | None = None
        self._renewed = 0.0

    async def acquire(self) -> None:
        """Return when it is ours."""
        while True:
            if await self._attempt(self._try_to_take):
                break
            await asyncio.sleep(self._terms.retry)
        log.info("lease_acquired", lease=self._cluster.name, identity=self._identity)

    async def keep(self) -> None:
        """Renew it; return when it is lost."""
        while True:
            await asyncio.sleep(self._terms.retry)
            await self._attempt(self._renew)
            if self._held is None or self._clock() - self._renewed > self._terms.deadline:
                self._held = None
                log.warning("lease_lost", lease=self._cluster.name, identity=self._identity)
                return

    async def release(self) -> None:
        """Let another take it at once."""
        held, self._held = self._held, None
        if held is None:
            return
        await self._attempt(lambda: self._let_go(held))
        log.info("lease_released", lease=self._cluster.name, identity=self._identity)

    async def _let_go(self, held: Json) -> bool:
        spec = held["spec"] | {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _stamp()}
        if await self._cluster.replace(held | {"spec": spec}) is not None:
            return True
        # A renewal that was cut off may have been written all the same.
        own = await self._read_own()
        return own is not None and await self._cluster.replace(own | {"spec": spec}) is not None

    async def _read_own(self) -> Json | None:
        lease = await self._cluster.read()
        ours = lease is not None and (lease.get("spec") or {}).get("holderIdentity") == self._identity
        return lease if ours else None

    async def _attempt(self, step: Callable[[], Any]) -> bool:
        """One request or two, in bounded time; what fails is tried again by the caller."""
        self._alive.beat("lease", STALLED_SECONDS)
        try:
            async with asyncio.timeout(self._terms.deadline / 2):
                done = bool(await step())
            self._ready.beat("api", STALLED_SECONDS)
            return done
        except (ApiError, Unreachable, TimeoutError) as error:
            log.warning("lease_request_failed", error=str(error) or type(error).__name__)
            return False

    async def _try_to_take(self) -> bool:
        lease = await self._cluster.read()
        begun = self._clock()
        if lease is None:
            body = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": self._cluster.name},
                "spec": self._spec({}),
            }
            return self._took(await self._cluster.create(body), begun)
        if not self._contest.may_take(lease, begun):
            return False
        return self._took(await self._cluster.replace(lease | {"spec": self._spec(lease.get("spec") or {})}), begun)

    async def _renew(self) -> bool:
        if self._held is None:
            return False
        begun = self._clock()
        answer = await self._cluster.replace(self._held | {"spec": self._held["spec"] | {"renewTime": _stamp()}})
        if answer is None:
            # Somebody wrote it. If only its labels, say, it is still ours.
            self._held = await self._read_own()
            return False
        return self._took(answer, begun)

    def _took(self, answer: Json | None, begun: float) -> bool:
        if answer is not None:
            self._held, self._renewed = answer, begun
        return answer is not None

    def _spec(self, before: Json) -> Json:
        changed = before.get("holderIdentity") != self._identity
        transitions = int(before.get("leaseTransitions") or 0) + (1 if changed and before else 0)
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, round(self._terms.duration)),
            "acquireTime": _stamp() if changed else before.get("acquireTime") or _stamp(),
            "renewTime": _stamp(),
            "leaseTransitions": transitions,
        }


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
