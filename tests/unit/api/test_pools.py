"""How many runners wait for work."""

from __future__ import annotations

import pytest

from skerry_api.domain.pools import Demand, PoolStanding, WarmPolicy, busiest, excess, wish, wish_shared

NOW = 10_000.0
HERE = PoolStanding(is_current=True)


def ago(**seconds: int) -> dict[int, int]:
    """Counts by second: `_5=2` are two that came five seconds ago."""
    return {int(NOW) - int(name[1:]): count for name, count in seconds.items()}


@pytest.mark.parametrize(
    ("what", "arrivals", "expected", "policy", "standing", "count", "why"),
    [
        ("nothing came", {}, {}, WarmPolicy(), HERE, 0, "no demand"),
        ("one came", ago(_5=1), {}, WarmPolicy(), HERE, 1, "1 came within 3 s"),
        ("one now and then", ago(_5=1, _20=1, _40=1), {}, WarmPolicy(), HERE, 1, "1 came"),
        ("some within a Pod's start", ago(_5=1, _6=2, _7=1, _20=3), {}, WarmPolicy(), HERE, 4, "4 came"),
        ("a burst", ago(_30=50), {}, WarmPolicy(most=100), HERE, 50, "50 came"),
        ("a burst, more than may wait", ago(_30=50), {}, WarmPolicy(), HERE, 10, "most; 50 came"),
        ("that was long ago", ago(_61=50), {}, WarmPolicy(), HERE, 0, "no demand"),
        ("children will come", ago(_5=1), ago(_0=7), WarmPolicy(), HERE, 7, "7 are expected"),
        ("some wait always", {}, {}, WarmPolicy(least=2), HERE, 2, "least"),
        ("more than always", ago(_5=3), {}, WarmPolicy(least=2), HERE, 3, "3 came"),
        ("none may wait", ago(_5=3), {}, WarmPolicy(most=0), HERE, 0, "most"),
        ("runs wait for room", ago(_5=3), {}, WarmPolicy(least=1), PoolStanding(True, is_pressed=True), 1, "room"),
        ("held up", ago(_5=3), {}, WarmPolicy(), PoolStanding(True, idle=2, held_up="NoRoom"), 2, "NoRoom"),
        ("held up, with enough", ago(_5=3), {}, WarmPolicy(), PoolStanding(True, idle=4, held_up="x"), 3, "3 came"),
        ("behind", ago(_5=9), {}, WarmPolicy(), PoolStanding(True, idle=3, is_behind=True), 3, "Pods of their own"),
        (
            "behind, a few",
            ago(_5=9),
            {},
            WarmPolicy(),
            PoolStanding(True, idle=1, running=1, is_behind=True),
            3,
            "of their own",
        ),
        (
            "behind, little need",
            ago(_5=1),
            {},
            WarmPolicy(),
            PoolStanding(True, is_behind=True),
            1,
            "Pods of their own",
        ),
        (
            "behind the least",
            {},
            {},
            WarmPolicy(least=9),
            PoolStanding(True, idle=4, is_behind=True),
            4,
            "of their own",
        ),
        ("an older version", ago(_5=3), {}, WarmPolicy(least=2), PoolStanding(False), 0, "newer version"),
        ("its successor warms", {}, {}, WarmPolicy(least=2), PoolStanding(False, successor_warms=True), 2, "warming"),
    ],
)
def test_as_many_wait_as_were_taken_within_a_start(
    what: str,
    arrivals: dict[int, int],
    expected: dict[int, int],
    policy: WarmPolicy,
    standing: PoolStanding,
    count: int,
    why: str,
) -> None:
    found = wish(policy, Demand(arrivals, expected, 2.4), standing, NOW)
    assert found.count == count, what
    assert why in found.why


@pytest.mark.parametrize(
    ("loads", "capacity", "policy", "standing", "count"),
    [
        ({}, 4, WarmPolicy(), HERE, 0),
        (ago(_5=1), 4, WarmPolicy(), HERE, 1),
        (ago(_5=9), 4, WarmPolicy(), HERE, 3),
        (ago(_5=900), 4, WarmPolicy(most=5), HERE, 5),
        (ago(_5=1), 4, WarmPolicy(most=0), HERE, 1),
        (ago(_61=9), 4, WarmPolicy(), HERE, 0),
        ({}, 4, WarmPolicy(least=2), HERE, 2),
        ({}, 4, WarmPolicy(least=2), PoolStanding(False), 0),
        (ago(_5=9), 4, WarmPolicy(), PoolStanding(False), 3),
    ],
)
def test_shared_runners_are_as_many_as_the_load_needs(
    loads: dict[int, int], capacity: int, policy: WarmPolicy, standing: PoolStanding, count: int
) -> None:
    assert wish_shared(policy, loads, capacity, standing, NOW).count == count


def test_the_busiest_moment() -> None:
    counts = {1: 5, 2: 5, 3: 1, 9: 8}
    assert [busiest(counts, 0, window) for window in (1, 2, 3, 9)] == [8, 10, 11, 19]
    assert busiest(counts, 2, 2) == 8
    assert busiest({}, 0, 3) == 0


def test_the_excess() -> None:
    assert [excess(2, idle) for idle in (0, 2, 5)] == [0, 0, 3]
