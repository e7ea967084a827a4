from __future__ import annotations

import pytest

from benchmarks.operator import credentials, lags
from benchmarks.operator.audits import Write
from benchmarks.operator.lags import Way


def write(
    verb: str,
    resource: str,
    name: str,
    ended: float,
    user: str = credentials.OPERATOR,
    accepted: bool = True,
    owner: str = "",
) -> Write:
    return Write(user, verb, resource, name, accepted, ended, owner)


CREATED = write("create", "taskruns", "run-1", 10.0, credentials.CLIENT)
ADOPTED = write("patch", "pods", "pod-a", 10.5)
SAID = write("patch", "taskruns/status", "run-1", 12.0)


@pytest.mark.parametrize(
    ("writes", "way"),
    [
        pytest.param([CREATED], Way(10.0), id="nothing but asked for"),
        pytest.param([SAID, ADOPTED, CREATED], Way(10.0, 10.5, 12.0), id="told in any order"),
        pytest.param([CREATED, write("patch", "pods", "pod-a", 10.2, accepted=False)], Way(10.0), id="refused"),
        pytest.param([CREATED, write("patch", "pods", "pod-b", 10.2)], Way(10.0), id="another Pod"),
        pytest.param(
            [CREATED, write("patch", "pods", "pod-a", 10.2, credentials.KWOK)], Way(10.0), id="another's write"
        ),
        pytest.param([CREATED, write("patch", "pods/resize", "pod-a", 10.2)], Way(10.0), id="another part of the Pod"),
        pytest.param([CREATED, ADOPTED, write("patch", "pods", "pod-a", 11.0)], Way(10.0, 10.5), id="adopted twice"),
        pytest.param(
            [CREATED, SAID, write("patch", "taskruns/status", "run-1", 13.0)], Way(10.0, None, 13.0), id="said twice"
        ),
        pytest.param([CREATED, write("create", "pods", "", 10.4)], Way(10.0), id="a Pod for its pool"),
    ],
)
def test_way_of_a_claim(writes: list[Write], way: Way) -> None:
    assert lags.ways(writes, "taskruns", {"pod-a": "run-1"}) == {"run-1": way}


def test_way_of_a_job_ends_at_the_pod_that_it_owns() -> None:
    writes = [
        write("create", "jobs", "one", 1.0, credentials.CLIENT),
        write("create", "jobs", "two", 1.1, credentials.CLIENT),
        write("create", "pods", "", 1.5, credentials.JOB_CONTROLLER, owner="two"),
        write("create", "pods", "", 1.7, credentials.JOB_CONTROLLER, owner="one"),
    ]
    assert lags.ways(writes, "jobs", {}) == {"one": Way(1.0, 1.7), "two": Way(1.1, 1.5)}


def test_objects_of_before_have_no_way() -> None:
    assert lags.ways([ADOPTED, SAID], "taskruns", {"pod-a": "run-1"}) == {}


def test_lags_of_many() -> None:
    found = lags.lags([Way(float(number), number + number / 1000, number + 1.0) for number in range(1, 201)])
    assert found.pod is not None
    assert found.said is not None
    assert (found.pod.count, round(found.pod.p50, 3), round(found.pod.p99), round(found.pod.most)) == (
        200,
        100.5,
        199,
        200,
    )
    assert found.said.p99 == 1000
    assert found.last == 200.2


def test_lags_of_objects_without_pods() -> None:
    assert lags.lags([Way(1.0, None, 1.5)]).pod is None
    assert lags.lags([]) == lags.Lags(None, None, None)
