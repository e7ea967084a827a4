"""For how long Pods waited, added up between looks."""

from __future__ import annotations

import pytest

from skerry_api.executors.kubernetes.metrics import Metrics
from skerry_api.executors.kubernetes.warm_usages import LONGEST_LOOK_SECONDS, Meter, states, waiting
from skerry_api.storage.warm_usages import WarmUsage
from skerry_objects.runner_pools import RunnerPool

HOUR = 1_800_000_000
NEXT = HOUR + 3600
SHOP, MILL = ("wfl-shop", "standard"), ("wfl-mill", "pro")


def pool(
    version: str = "1", isolation: str = "container", replicas: int = 0, plan: str = "standard", **status: int
) -> RunnerPool:
    return RunnerPool.model_validate(
        {
            "metadata": {"name": f"wfv-{version}-{plan}"},
            "spec": {
                "workflow": "shop",
                "version": f"wfv-{version}",
                "plan": plan,
                "replicas": replicas,
                "isolation": isolation,
                "template": {"image": "shop:1"},
            },
            "status": status,
        }
    )


@pytest.mark.parametrize(
    ("what", "looks", "counted"),
    [
        ("nothing", [(0, {}), (1, {})], {}),
        ("what is seen for the first time", [(0, {SHOP: 2})], {}),
        ("two for a second", [(0, {SHOP: 2}), (1, {SHOP: 2})], {(*SHOP, HOUR): 2.0}),
        ("until it was seen gone", [(0, {SHOP: 2}), (1, {SHOP: 1}), (3, {}), (9, {})], {(*SHOP, HOUR): 4.0}),
        ("each for itself", [(0, {SHOP: 2, MILL: 1}), (5, {})], {(*SHOP, HOUR): 10.0, (*MILL, HOUR): 5.0}),
        ("what does not wait", [(0, {SHOP: 0}), (5, {SHOP: 0})], {}),
        ("after a sleep", [(0, {SHOP: 3}), (400, {})], {(*SHOP, HOUR): 3 * LONGEST_LOOK_SECONDS}),
        (
            "over the hour",
            [(3594, {SHOP: 1}), (3599, {SHOP: 1}), (3601, {SHOP: 1}), (3602, {})],
            {(*SHOP, HOUR): 5.0, (*SHOP, NEXT): 3.0},
        ),
    ],
)
def test_what_waits_is_counted_until_the_next_look(
    what: str, looks: list[tuple[float, dict[tuple[str, str], int]]], counted: dict[tuple[str, str, int], float]
) -> None:
    meter = Meter()
    came = [meter.look(waits, 77.0 + at, HOUR + at) for at, waits in looks]
    assert {(usage.workflow_id, usage.plan, usage.hour): usage.seconds for usage in meter.usages} == counted, what
    assert sum(sum(each.values()) for each in came) == sum(counted.values())
    assert meter.is_waiting is any(looks[-1][1].values())


def test_what_is_recorded_is_counted_no_more_and_what_is_not_stays() -> None:
    meter = Meter()
    meter.look({SHOP: 1}, 0, HOUR)
    meter.look({SHOP: 1}, 2, HOUR + 2)
    assert meter.usages == [WarmUsage(*SHOP, HOUR, 2.0)]
    meter.look({SHOP: 1}, 3, HOUR + 3)
    assert meter.usages == [WarmUsage(*SHOP, HOUR, 3.0)]
    meter.take_off(meter.usages)
    assert meter.usages == []
    meter.look({}, 4, HOUR + 4)
    assert meter.usages == [WarmUsage(*SHOP, HOUR, 1.0)]


@pytest.mark.parametrize(
    ("seen", "working", "count"),
    [
        (pool(idle=2, starting=1, claimed=4), 0, 3),
        (pool(isolation="process", idle=3, starting=1), 2, 2),
        (pool(isolation="process", idle=1, starting=1), 2, 1),
        (pool(), 0, 0),
    ],
)
def test_pods_without_an_attempt_wait(seen: RunnerPool, working: int, count: int) -> None:
    assert waiting(seen, working) == count


def test_pods_are_shown_over_all_versions_while_there_are_pools() -> None:
    metrics = Metrics()
    read = metrics.registry.get_sample_value
    standard, pro = {"workflow": "shop", "plan": "standard"}, {"workflow": "shop", "plan": "pro"}
    both = [pool("1", replicas=0, idle=1, claimed=2), pool("2", replicas=3, idle=1, starting=2)]
    metrics.pools(states([*both, pool(plan="pro", idle=1)]))
    found = {state: read("skerry_pool_pods", standard | {"state": state}) for state in ("wanted", "idle", "starting")}
    assert found == {"wanted": 3, "idle": 2, "starting": 2}
    assert read("skerry_pool_pods", standard | {"state": "claimed"}) == 2
    assert read("skerry_warm_seconds_total", pro) == 0
    metrics.waited("shop", "standard", 2.5)
    metrics.pools(states(both))
    assert read("skerry_warm_seconds_total", standard) == 2.5
    assert read("skerry_warm_seconds_total", pro) is None
    assert read("skerry_pool_pods", pro | {"state": "idle"}) is None
