"""Runs that come while Pods for whichever run wait or are on their way: a Pod of their own would only be later. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from skerry_api.storage.launches import Launch
from skerry_objects.runner_pools import RunnerPool

# A Pod that takes longer than this to start is not counted on: then each run gets one of its own.
PATIENCE_SECONDS = 20.0
# A Pod that waits is connected to one replica: when a run comes to another, that one gives it to the Pod within milliseconds.
HANDOVER_SECONDS = 0.3


def coming(pools: Iterable[RunnerPool]) -> dict[str, int]:
    """How many Pods of each pool are on their way to wait for work, and held up by nothing."""
    return {
        pool.metadata.name: min(pool.status.starting, pool.spec.replicas)
        for pool in pools
        if pool.spec.isolation == "container" and not any(entry.type == "Waiting" for entry in pool.status.conditions)
    }


def waiting(pool: RunnerPool) -> int:
    """How many Pods of a pool wait for work."""
    return pool.status.idle if pool.spec.isolation == "container" else 0


def in_need(
    queued: Sequence[Launch],
    starting: Mapping[str, int],
    idle: Mapping[str, int],
    is_launched: Callable[[Launch], bool],
    now: float,
) -> list[Launch]:
    """Those of `queued`, in the order of the queue, that have or need Pods of their own.

    The first that have none are left to the Pods of their pool that are `starting`, unless they have been ready for
    `PATIENCE_SECONDS` at `now`, in seconds since 1970, and for `HANDOVER_SECONDS` to those that are `idle`.
    """
    coming, there = Counter(starting), Counter(idle)
    found = []
    for launch in queued:
        age = now - launch.ready_at
        if is_launched(launch):
            found.append(launch)
        elif age <= HANDOVER_SECONDS and there[launch.pool] > 0:
            there[launch.pool] -= 1
        elif age <= PATIENCE_SECONDS and coming[launch.pool] > 0:
            coming[launch.pool] -= 1
        else:
            found.append(launch)
    return found
