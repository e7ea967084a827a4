"""What the executor counts of its requests."""

from __future__ import annotations

import pytest

from skerry_api.executors.kubernetes.metrics import Metrics, kind_of
from skerry_objects.clients import ApiError, Unreachable


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Unreachable("no answer"), "unreachable"),
        (ApiError(409, "AlreadyExists", ""), "conflict"),
        (ApiError(429, "TooManyRequests", ""), "throttled"),
        (ApiError(403, "Forbidden", ""), "refused"),
        (ApiError(422, "Invalid", ""), "refused"),
        (ApiError(503, "ServiceUnavailable", ""), "failed"),
    ],
)
def test_a_request_that_goes_wrong_is_counted_by_kind(error: ApiError | Unreachable, kind: str) -> None:
    metrics = Metrics()
    with pytest.raises(type(error)), metrics.writing("create"):
        raise error
    assert kind_of(error) == kind
    read = metrics.registry.get_sample_value
    assert read("skerry_cluster_errors_total", {"kind": kind}) == 1
    assert read("skerry_task_run_writes_total", {"verb": "create", "result": kind}) == 1


def test_a_write_that_goes_well_is_no_error() -> None:
    metrics = Metrics()
    with metrics.writing("patch"):
        pass
    assert metrics.registry.get_sample_value("skerry_task_run_writes_total", {"verb": "patch", "result": "ok"}) == 1
    assert not [sample for metric in metrics.registry.collect() for sample in metric.samples if "errors" in sample.name]


def test_a_pool_for_whose_pods_nothing_waits_any_more_is_not_shown() -> None:
    metrics = Metrics()
    metrics.waits(["a", "b", "a"])
    metrics.waits(["b"])
    read = metrics.registry.get_sample_value
    assert read("skerry_attempts_waiting_for_pod", {"pool": "b"}) == 1
    assert read("skerry_attempts_waiting_for_pod", {"pool": "a"}) is None


def test_clocks_that_disagree_give_no_negative_latency() -> None:
    metrics = Metrics()
    metrics.launched(-0.2)
    assert metrics.registry.get_sample_value("skerry_launch_seconds_sum") == 0
