"""Which runs are left to Pods that are on their way already."""

from __future__ import annotations

import pytest

from skerry_api.executors.kubernetes.standbys import HANDOVER_SECONDS, PATIENCE_SECONDS, coming, in_need, waiting
from skerry_api.storage.launches import Launch
from skerry_objects.runner_pools import RunnerPool

NOW = 1_000_000.0


def queued(*names: str, age: float = 0.0) -> list[Launch]:
    """Attempts by the first letter of their pool and a number, as `a1`."""
    return [
        Launch(name, name, 1, "queued", name[0], "shop", "wfv-1", "build", "standard", 60.0, ready_at=NOW - age)
        for name in names
    ]


@pytest.mark.parametrize(
    ("what", "queue", "starting", "idle", "launched", "need"),
    [
        ("none is on its way", queued("a1", "a2"), {}, {}, "", "a1 a2"),
        ("one is, for the first", queued("a1", "a2"), {"a": 1}, {}, "", "a2"),
        ("enough are", queued("a1", "a2"), {"a": 5}, {}, "", ""),
        ("of another pool", queued("a1", "b1"), {"a": 1}, {}, "", "b1"),
        ("who has a Pod takes none", queued("a1", "a2", "a3"), {"a": 1}, {}, "a1", "a1 a3"),
        ("patience has an end", queued("a1", age=PATIENCE_SECONDS + 1) + queued("a2"), {"a": 1}, {}, "", "a1"),
        ("one waits, for the first", queued("a1", "a2"), {}, {"a": 1}, "", "a2"),
        ("one waits, one is on its way", queued("a1", "a2", "a3"), {"a": 1}, {"a": 1}, "", "a3"),
        ("one should have been given by now", queued("a1", age=HANDOVER_SECONDS + 0.1), {}, {"a": 1}, "", "a1"),
    ],
)
def test_runs_are_left_to_pods_that_wait_or_are_on_their_way(
    what: str, queue: list[Launch], starting: dict[str, int], idle: dict[str, int], launched: str, need: str
) -> None:
    found = in_need(queue, starting, idle, lambda launch: launch.run in launched.split(), NOW)
    assert " ".join(launch.run for launch in found) == need, what


def pool(isolation: str = "container", replicas: int = 3, starting: int = 2, *conditions: str) -> RunnerPool:
    told = [
        {"type": name, "status": "True", "reason": "X", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        for name in conditions
    ]
    return RunnerPool.model_validate(
        {
            "metadata": {"name": "a"},
            "spec": {
                "workflow": "shop",
                "version": "wfv-1",
                "plan": "standard",
                "replicas": replicas,
                "isolation": isolation,
                "template": {"image": "shop:1"},
            },
            "status": {"starting": starting, "conditions": told},
        }
    )


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        (pool(), {"a": 2}),
        (pool(replicas=1), {"a": 1}),
        (pool("process"), {}),
        (pool("container", 3, 2, "Ready"), {"a": 2}),
        (pool("container", 3, 2, "Waiting"), {}),
    ],
)
def test_pods_on_their_way(seen: RunnerPool, found: dict[str, int]) -> None:
    assert coming([seen]) == found


@pytest.mark.parametrize(("isolation", "count"), [("container", 2), ("process", 0)])
def test_pods_that_wait_are_counted_where_each_takes_one_run(isolation: str, count: int) -> None:
    standing = pool(isolation)
    assert waiting(standing.model_copy(update={"status": standing.status.model_copy(update={"idle": 2})})) == count
