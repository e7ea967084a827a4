"""What writes tell of the API server: how long they took, or that they were not taken."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, cast

import pytest

from skerry_objects.clients import ApiError, Client, Unreachable
from skerry_operator.clusters import Cluster
from skerry_operator.metrics import Metrics
from skerry_operator.stores import Kind


class Answering:
    """A client that answers every patch at once, in one way."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    async def patch(self, *_: Any, **__: Any) -> dict[str, Any]:
        if self.error is not None:
            raise self.error
        return {}


@pytest.mark.parametrize(
    ("error", "is_busy"),
    [
        (None, False),
        (ApiError(409, "Conflict", "it was changed"), False),
        (ApiError(404, "NotFound", "it is gone"), False),
        (ApiError(429, "TooManyRequests", "later"), True),
        (ApiError(503, "ServiceUnavailable", "not now"), True),
        (Unreachable("nobody listens"), True),
    ],
)
async def test_a_write_that_is_not_taken_makes_the_pace_slow(error: Exception | None, is_busy: bool) -> None:
    metrics = Metrics()
    cluster = Cluster(cast(Client, Answering(error)), "tasks", metrics)
    with nullcontext() if error is None else pytest.raises(type(error), match=str(error)):
        await cluster.write_status(Kind.TASK_RUN, "trn-1", "1", {"phase": "Running"})
    labels = {"verb": "patch", "resource": "taskruns/status"}
    assert metrics.registry.get_sample_value("skerry_operator_write_seconds_count", labels) == 1
    assert cluster.pace.seconds(busy=1, idle=10) == (1 if is_busy else 0.1)
