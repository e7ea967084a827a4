"""How small a Pod waits and how large it becomes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from skerry_operator.quantities import thousandths
from skerry_operator.sizes import CLAIMED_REQUESTS, Growth, growth_of, ungrown
from tests.unit.operator.objects import runner_pool

SMALL = {"cpu": "50m", "memory": "64Mi"}


def resources(limits: dict[str, str] | None = None, **requests: str) -> dict[str, Any]:
    return {"limits": limits or {}, "requests": requests}


@pytest.mark.parametrize(
    ("given", "wanted", "expected"),
    [
        pytest.param(
            resources({"cpu": "2", "memory": "4Gi"}, cpu="1", memory="2Gi"),
            SMALL,
            Growth(SMALL, {"cpu": "1", "memory": "2Gi"}),
            id="burstable",
        ),
        pytest.param(
            resources({"cpu": "2", "memory": "4Gi"}, cpu="2000m", memory="4096Mi"),
            SMALL,
            Growth(SMALL, {"cpu": "1999m", "memory": "4096Mi"}),
            id="guaranteed stays burstable",
        ),
        pytest.param(
            resources({"cpu": "1.5", "memory": "4Gi"}),
            SMALL,
            Growth(SMALL, {"cpu": "1499m", "memory": "4Gi"}),
            id="limits are requests where there are none",
        ),
        pytest.param(
            resources({"cpu": "40m", "memory": "4Gi"}),
            SMALL,
            Growth({"cpu": "40m", "memory": "64Mi"}, {"cpu": "39m", "memory": "4Gi"}),
            id="only memory is more",
        ),
        pytest.param(
            resources({"memory": "4Gi"}, cpu="1"),
            SMALL,
            Growth(SMALL, {"cpu": "1", "memory": "4Gi"}),
            id="no limit of the CPU",
        ),
        pytest.param(
            resources({"memory": "4Gi"}), SMALL, Growth({"memory": "64Mi"}, {"memory": "4Gi"}), id="memory only"
        ),
        pytest.param(
            resources(cpu="1", memory="2Gi"), SMALL, Growth(SMALL, {"cpu": "1", "memory": "2Gi"}), id="no limits"
        ),
        pytest.param(
            resources({"cpu": "2", "memory": "4Gi"}, cpu="1", memory="2Gi"),
            {"cpu": "50m"},
            Growth({"cpu": "50m", "memory": "2Gi"}, {"cpu": "1", "memory": "2Gi"}),
            id="only the CPU is to be less",
        ),
        pytest.param(
            resources({"cpu": "2"}), {"cpu": "0"}, Growth({"cpu": "0"}, {"cpu": "2"}), id="none, with a limit"
        ),
        pytest.param(resources(cpu="2"), {"cpu": "0"}, None, id="none, without a limit, would be best effort"),
        pytest.param(resources({"cpu": "50m", "memory": "64Mi"}), SMALL, None, id="as small already"),
        pytest.param(resources({"cpu": "2"}, cpu="0.05"), SMALL, None, id="as small, in other words"),
        pytest.param(resources(), SMALL, None, id="nothing is said"),
        pytest.param(resources({"cpu": "2"}), {}, None, id="nothing is wanted"),
        pytest.param(resources({"cpu": "2"}), None, None, id="off"),
        pytest.param(resources({"cpu": "1e5000"}), SMALL, None, id="no amount that anybody has"),
    ],
)
def test_growth(given: dict[str, Any], wanted: dict[str, str] | None, expected: Growth | None) -> None:
    assert growth_of(runner_pool(spec={"idleRequests": wanted}, resources=given)) == expected


def test_pods_that_take_many_runs_do_not_grow() -> None:
    spec = {"idleRequests": SMALL, "isolation": "process", "capacity": 4}
    assert growth_of(runner_pool(spec=spec, resources=resources({"cpu": "2"}))) is None


@pytest.mark.parametrize(
    ("requests", "claimed", "expected"),
    [
        (SMALL, '{"cpu": "1", "memory": "2Gi"}', {"cpu": "1", "memory": "2Gi"}),
        ({"cpu": "1", "memory": "64Mi"}, '{"cpu": "1000m", "memory": "2Gi"}', {"memory": "2Gi"}),
        ({"cpu": "1", "memory": "2Gi"}, '{"cpu": "1000m", "memory": "2048Mi"}', {}),
        ({"cpu": "3m"}, '{"cpu": "0.0025"}', {}),
        ({}, '{"cpu": "1"}', {"cpu": "1"}),
        (SMALL, None, {}),
        *((SMALL, text, {}) for text in ("", "[]", "1", '{"cpu": 1}', '{"cpu": "much"}')),
    ],
)
def test_what_a_pod_lacks(requests: dict[str, str], claimed: str | None, expected: dict[str, str]) -> None:
    annotations = {} if claimed is None else {CLAIMED_REQUESTS: claimed}
    sidecar = {"name": "proxy", "resources": {"requests": {"cpu": "7"}}}
    runner = {"name": "runner", "resources": {"requests": requests}}
    assert ungrown(annotations, [sidecar, runner]) == expected
    assert ungrown(annotations, [sidecar]) == {}


def test_what_a_pod_lacks_where_it_requests_nothing() -> None:
    assert ungrown({CLAIMED_REQUESTS: json.dumps({"cpu": "1"})}, [{"name": "runner"}]) == {"cpu": "1"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "1000m"),
        ("+.5", "500m"),
        ("2Gi", "2048Mi"),
        ("1k", "1e3"),
        ("1M", "1E6"),
        ("1Ei", "1024Pi"),
        ("1E", "1000P"),
        ("100u", "1m"),
        ("1n", "1m"),
        ("2.5m", "3m"),
    ],
)
def test_amounts_that_are_the_same(one: str, other: str) -> None:
    assert thousandths(one) == thousandths(other)


@pytest.mark.parametrize("text", ["", "m", "-1", "1 Gi", "1KiB", "1e", "1.2.3", "1e1234"])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(ValueError, match="no amount"):
        thousandths(text)
