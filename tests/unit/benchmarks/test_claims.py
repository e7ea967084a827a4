from __future__ import annotations

from typing import Any

import pytest

from benchmarks.operator import kinds, workloads
from benchmarks.operator.claims import Size
from benchmarks.processes import BenchmarkError
from skerry_objects import names
from skerry_objects.clients import RUNNER_POOLS, TASK_RUNS, Resource


def size(runs: int = 10_000, nodes: int = 200, pools: int = 10) -> Size:
    return Size(runs, nodes, pools, rate=300, steady_rate=20)


@pytest.mark.parametrize("runs", [4, 7, 200, 10_000])
def test_all_pods_wait_or_are_claimed(runs: int) -> None:
    found = size(runs, pools=1)
    found.check()
    assert found.waiting + found.burst + found.steady == runs


@pytest.mark.parametrize("wrong", [size(nodes=90), size(runs=10, pools=6), size(pools=0), size(runs=3, pools=1)])
def test_what_cannot_be_is_refused(wrong: Size) -> None:
    with pytest.raises(BenchmarkError):
        wrong.check()


@pytest.mark.parametrize(
    ("resource", "item", "expected"),
    [
        (TASK_RUNS, {}, None),
        (TASK_RUNS, {"status": {"phase": "Starting"}}, None),
        (TASK_RUNS, {"status": {"phase": "Running"}}, True),
        (TASK_RUNS, {"status": {"phase": "Failed"}}, False),
        (kinds.JOBS, {"status": {"active": 1}}, None),
        (kinds.JOBS, {"status": {"active": 1, "ready": 1}}, True),
        (kinds.JOBS, {"status": {"conditions": [{"type": "Failed", "status": "True"}]}}, False),
        (RUNNER_POOLS, {"spec": {"replicas": 2}}, None),
        (RUNNER_POOLS, {"spec": {"replicas": 2}, "status": {"idle": 1}}, None),
        (RUNNER_POOLS, {"spec": {"replicas": 2}, "status": {"idle": 2}}, True),
    ],
)
def test_what_is_said_to_run(resource: Resource, item: dict[str, Any], expected: bool | None) -> None:
    assert workloads.is_running(resource, item) is expected


def test_claim_names_the_pod_its_pool_and_its_version() -> None:
    pool = workloads.waiting_pool(3, replicas=5)
    pod = {"metadata": {"name": "waits", "labels": {names.POOL: pool["metadata"]["name"]}}}
    spec = workloads.claim("run-1", pod)["spec"]
    assert spec["podName"] == "waits"
    assert spec["poolRef"] == pool["metadata"]["name"]
    assert spec["version"] == pool["spec"]["version"]
    assert pool["spec"]["replicas"] == 5
