"""How long a run's end waits for others to begin."""

from __future__ import annotations

import pytest

from skerry_runner.crowds import unheard_seconds


@pytest.mark.parametrize(
    ("company", "cores", "seconds"),
    [
        (1, 1, 0.0),
        (2, 2, 0.0),  # each has a core to itself
        (3, 2, 0.006),
        (8, 2, 0.016),
        (50, 2, 0.04),
        (50, 64, 0.0),
        (100, 64, 0.00625),
        (10_000, 1, 0.04),  # no result waits longer
    ],
)
def test_ends_wait_while_a_core_has_others_to_begin(company: int, cores: int, seconds: float) -> None:
    assert unheard_seconds(company, cores) == pytest.approx(seconds)
