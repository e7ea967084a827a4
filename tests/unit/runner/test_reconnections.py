"""How long a runner that lost the control plane waits before it tries again."""

from __future__ import annotations

import pytest

from skerry_runner.sessions import longest_pause


@pytest.mark.parametrize(
    ("failures", "heartbeat_seconds", "seconds"),
    [
        (1, 10.0, 0.2),
        (3, 10.0, 0.8),
        (7, 10.0, 10.0),
        (1000, 10.0, 10.0),
        # A lease of 10 s: three tries fit into it, however long the control plane was away.
        (5, 10 / 3, 3.2),
        (7, 10 / 3, 10 / 3),
        (1, 0.1, 0.1),
    ],
)
def test_pauses_grow_up_to_a_heartbeat(failures: int, heartbeat_seconds: float, seconds: float) -> None:
    assert longest_pause(failures, heartbeat_seconds) == pytest.approx(seconds)
