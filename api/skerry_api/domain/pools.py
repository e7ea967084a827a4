"""How many runners should wait for work ahead of need. Pure.

The rule is one sentence: as many as were taken within the time that a Pod needs to start, at the busiest moment of the last
`idle_seconds`. A lone trigger now and then keeps one waiting, a burst of fifty keeps fifty, and when nothing has come for
`idle_seconds` none is left. Because it looks at a maximum over a window, it does not flap.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

# So many are on their way at a time while runs wait for Pods of their own: few enough not to slow those down, and enough that
# runs which come steadily, of which some always wait, find Pods that wait in the end.
STEP = 2


@dataclass(frozen=True, slots=True)
class WarmPolicy:
    """What an installation or a workflow wants of its waiting runners.

    Attributes:
        least: how many wait always.
        most: how many may wait.
        idle_seconds: how long a runner beyond the least waits after the last need of it.
    """

    least: int = 0
    most: int = 10
    idle_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Demand:
    """What is known of a pool's need.

    Attributes:
        arrivals: runs that came, by second since 1970.
        expected: runs that will probably come as children of what came, by the second in which those came.
        start_seconds: from the wish for a Pod to one that can take work.
    """

    arrivals: Mapping[int, int]
    expected: Mapping[int, int]
    start_seconds: float


@dataclass(frozen=True, slots=True)
class PoolStanding:
    """How a pool stands.

    Attributes:
        is_current: whether new runs of its workflow use its version.
        successor_warms: whether it is not current, and the version that follows has not all its least waiting yet.
        idle: how many wait now, whether imported or on their way.
        running: how many of these are not on their way any more.
        held_up: why no further Pod can be had at the moment, as one word.
        is_pressed: whether runs wait for room that this pool's waiting Pods take.
        is_behind: whether runs of this pool wait for Pods of their own, which many further ones would only slow down.
    """

    is_current: bool
    successor_warms: bool = False
    idle: int = 0
    running: int = 0
    held_up: str | None = None
    is_pressed: bool = False
    is_behind: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """How many runners should wait, and why."""

    count: int
    why: str


def wish(policy: WarmPolicy, demand: Demand, standing: PoolStanding, now: float) -> Wish:
    """How many runners of a pool should wait."""
    if not standing.is_current:
        if standing.successor_warms:
            return Wish(policy.least, "the version that follows is still warming")
        return Wish(0, "a newer version is in use")
    least = Wish(policy.least, "least" if policy.least else "no demand")
    if standing.is_pressed:
        return Wish(policy.least, "runs wait for room")
    window = max(1, math.ceil(demand.start_seconds))
    since = now - policy.idle_seconds
    came = busiest(demand.arrivals, since, window)
    expected = busiest(demand.expected, since, window)
    need = Wish(came, f"{came} came within {window} s")
    if expected > came:
        need = Wish(expected, f"{expected} are expected as children")
    if need.count <= policy.least:
        need = least
    elif need.count > policy.most:
        need = Wish(max(policy.most, policy.least), f"most; {need.why}")
    if need.count <= standing.idle:
        return need
    if standing.held_up is not None:
        return Wish(max(policy.least, standing.idle), f"held up: {standing.held_up}")
    if standing.is_behind:
        step = max(standing.idle, standing.running + STEP)
        return Wish(min(need.count, step), "runs wait for Pods of their own")
    return need


def wish_shared(
    policy: WarmPolicy, loads: Mapping[int, int], capacity: int, standing: PoolStanding, now: float
) -> Wish:
    """How many runners there should be of a pool whose runners take many runs; `loads` are runs at once, by second."""
    load = max((count for second, count in loads.items() if second >= now - policy.idle_seconds), default=0)
    need = math.ceil(load / capacity)
    if not standing.is_current and not (need or standing.successor_warms):
        return Wish(0, "a newer version is in use")
    if need <= policy.least:
        return Wish(policy.least, "least" if policy.least else "no demand")
    why = f"{load} at once"
    # Without any, nothing would ever run.
    most = max(1, policy.most, policy.least)
    return Wish(most, f"most; {why}") if need > most else Wish(need, why)


def busiest(counts: Mapping[int, int], since: float, window: int) -> int:
    """The most that came within `window` successive seconds, of what came after `since`."""
    recent = {second: count for second, count in counts.items() if second >= since}
    return max((sum(recent.get(second + ahead, 0) for ahead in range(window)) for second in recent), default=0)


def excess(wanted: int, idle: int) -> int:
    """How many of those that wait should leave."""
    return max(0, idle - wanted)
