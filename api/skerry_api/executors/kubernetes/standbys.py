"""Runs that come while Pods for whichever run are on their way: a Pod of their own would only be later. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from skerry_api.storage.launches import Launch
from skerry_objects.runner_pools import RunnerPool

# A Pod that takes longer than this to start is not counted on: then each run gets one of its own.
PATIENCE_SECONDS = 20.0


def coming(pools: Iterable[RunnerPool]) -> dict[str, int]:
    """How many Pods of each pool are on their way to wait for work, and held up by nothing."""
    return {
        pool.metadata.name: min(pool.status.starting, pool.spec.replicas)
        for pool in pools
        if pool.spec.isolation == "container" and not any(entry.type == "Waiting" for entry in pool.status.conditions)
    }


def in_need(
    queued: Sequence[Launch], starting: Mapping[str, int], is_launched: Callable[[Launch], bool], now: float
) -> list[Launch]:
    """Those of `queued`, in the order of the queue, that have or need Pods of their own.

    The first that have none are left to the Pods of their pool that are `starting`, unless they have been ready for
    `PATIENCE_SECONDS` at `now`, in seconds since 1970.
    """
    left = Counter(starting)
    found = []
    for launch in queued:
        if is_launched(launch) or now - launch.ready_at > PATIENCE_SECONDS or left[launch.pool] <= 0:
            found.append(launch)
        else:
            left[launch.pool] -= 1
    return found
