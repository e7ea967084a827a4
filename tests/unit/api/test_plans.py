"""Plans as an installation defines them."""

from __future__ import annotations

from typing import Any

import pytest

from skerry_api.domain.plans import GIB, MIB, Plan, read_plans

STANDARD = {"cpu": "1", "memory": "2Gi"}


def test_plans_are_read_and_ordered_by_size() -> None:
    given = {"tiny_2": {"cpu": "250m", "memory": "64Mi"}, "standard": STANDARD, "half": {"cpu": 0.5, "memory": 10**9}}
    assert read_plans(given) == [
        Plan("tiny_2", 0.25, 64 * MIB),
        Plan("half", 0.5, 10**9),
        Plan("standard", 1, 2 * GIB),
    ]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "there must be a plan 'standard'"),
        ({"standard": {"memory": "1Gi"}}, "cpu must be an amount"),
        ({"standard": {"cpu": "0", "memory": "1Gi"}}, "cpu must be an amount"),
        ({"standard": {"cpu": "1", "memory": "1 GB"}}, "memory must be an amount"),
        ({"standard": STANDARD, "Big Plan": STANDARD}, "plan name 'Big Plan'"),
    ],
)
def test_what_is_wrong_is_named(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_plans(given)
