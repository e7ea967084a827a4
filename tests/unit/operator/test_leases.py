from __future__ import annotations

import asyncio
from typing import Any

from skerry_objects.clients import Unreachable
from skerry_operator.clusters import LeaseCluster
from skerry_operator.leases import Contest, Lease, Terms
from skerry_operator.metrics import Pulse

TERMS = Terms(duration=1.0, deadline=0.4, retry=0.02)


def lease(holder: str = "other", renewed: str = "t1", duration: int = 15) -> dict[str, Any]:
    return {"spec": {"holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": duration}}


class StoredLease(LeaseCluster):
    """A Lease in memory, with faults."""

    def __init__(self) -> None:
        self.name = "lease"
        self.stored: dict[str, Any] | None = None
        self.version = 0
        self.away = False

    def check(self) -> None:
        if self.away:
            raise Unreachable("away")

    async def read(self) -> dict[str, Any] | None:
        self.check()
        return self.stored

    async def create(self, body: dict[str, Any]) -> dict[str, Any] | None:
        self.check()
        return self.write(body) if self.stored is None else None

    async def replace(self, body: dict[str, Any]) -> dict[str, Any] | None:
        self.check()
        assert self.stored is not None
        same = body["metadata"]["resourceVersion"] == self.stored["metadata"]["resourceVersion"]
        return self.write(body) if same else None

    def write(self, body: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        self.stored = body | {"metadata": {"name": "lease", "resourceVersion": str(self.version)}}
        return self.stored


def contender(cluster: StoredLease, identity: str) -> Lease:
    return Lease(cluster, identity, Pulse(), Pulse(), TERMS)


def holder(cluster: StoredLease) -> str:
    assert cluster.stored is not None
    found: str = cluster.stored["spec"]["holderIdentity"]
    return found


def test_lease_that_moves_is_left_alone() -> None:
    contest = Contest("me")
    assert not contest.may_take(lease(renewed="t1"), 0)
    assert not contest.may_take(lease(renewed="t1"), 15)
    assert not contest.may_take(lease(renewed="t2"), 16)
    assert not contest.may_take(lease(renewed="t2"), 31)
    assert contest.may_take(lease(renewed="t2"), 31.1)


def test_old_time_in_a_lease_means_nothing() -> None:
    assert not Contest("me").may_take(lease(renewed="1970-01-01T00:00:00Z"), 1_000_000)


def test_free_or_own_lease_is_taken_at_once() -> None:
    assert Contest("me").may_take(lease(holder=""), 0)
    assert Contest("me").may_take(lease(holder="me"), 0)
    assert Contest("me").may_take({"spec": {}}, 0)
    assert Contest("me").may_take({}, 0)


def test_take_over_is_under_twenty_seconds_and_never_before_the_holder_stops() -> None:
    terms = Terms()
    assert terms.duration + terms.retry + terms.deadline / 4 < 20
    assert terms.deadline + terms.retry < terms.duration


async def test_first_makes_it_and_second_waits() -> None:
    cluster = StoredLease()
    first, second = contender(cluster, "one"), contender(cluster, "two")
    await first.acquire()
    keeping = asyncio.create_task(first.keep())
    waiting = asyncio.create_task(second.acquire())
    await asyncio.sleep(1.3)
    assert (holder(cluster), waiting.done()) == ("one", False)
    keeping.cancel()
    await first.release()
    await asyncio.wait_for(waiting, 0.5)
    assert holder(cluster) == "two"


async def test_second_takes_over_from_a_dead_one() -> None:
    cluster = StoredLease()
    await contender(cluster, "one").acquire()
    began = asyncio.get_running_loop().time()
    await asyncio.wait_for(contender(cluster, "two").acquire(), 5)
    assert 1.0 <= asyncio.get_running_loop().time() - began < 1.5
    assert cluster.stored is not None
    assert cluster.stored["spec"]["leaseTransitions"] == 1


async def test_holder_that_cannot_renew_stops_in_time() -> None:
    cluster = StoredLease()
    first = contender(cluster, "one")
    await first.acquire()
    cluster.away = True
    began = asyncio.get_running_loop().time()
    await asyncio.wait_for(first.keep(), 5)
    assert asyncio.get_running_loop().time() - began < TERMS.duration


async def test_short_absence_is_borne() -> None:
    cluster = StoredLease()
    first = contender(cluster, "one")
    await first.acquire()
    keeping = asyncio.create_task(first.keep())
    cluster.away = True
    await asyncio.sleep(0.2)
    cluster.away = False
    await asyncio.sleep(0.5)
    assert not keeping.done()
    keeping.cancel()


async def test_stolen_lease_is_lost_at_once_and_not_released() -> None:
    cluster = StoredLease()
    first = contender(cluster, "one")
    await first.acquire()
    assert cluster.stored is not None
    cluster.write(cluster.stored | {"spec": lease("thief")["spec"]})
    await asyncio.wait_for(first.keep(), 0.3)
    await first.release()
    assert holder(cluster) == "thief"


async def test_lease_that_somebody_labelled_is_kept() -> None:
    cluster = StoredLease()
    first = contender(cluster, "one")
    await first.acquire()
    keeping = asyncio.create_task(first.keep())
    assert cluster.stored is not None
    cluster.write(dict(cluster.stored))
    await asyncio.sleep(0.6)
    assert not keeping.done()
    keeping.cancel()


async def test_renewal_that_was_cut_off_does_not_hold_up_the_release() -> None:
    cluster = StoredLease()
    first = contender(cluster, "one")
    await first.acquire()
    assert cluster.stored is not None
    cluster.write(dict(cluster.stored))
    await first.release()
    assert holder(cluster) == ""
