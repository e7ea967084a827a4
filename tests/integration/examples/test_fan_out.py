from __future__ import annotations

from collections.abc import Iterator

import pytest

from examples.fan_out import main as fan_out
from tests.integration.examples.conftest import Server, example_server

# Number and largest of the primes below 200,000: OEIS A000720(200000) and the greatest prime under it.
PRIMES, LARGEST = 17_984, 199_999


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with example_server("examples.fan_out.main:app", "fan-out") as server:
        yield server


async def test_slices_in_process_cover_every_number_once() -> None:
    summary = await fan_out.primes_below(1000, 7)

    assert summary == fan_out.Summary(slices=7, primes=168, largest=997)


async def test_more_slices_than_numbers_are_no_problem() -> None:
    assert await fan_out.primes_below(3, 10) == fan_out.Summary(slices=3, primes=1, largest=2)


def test_two_hundred_children_on_a_server_are_all_counted(server: Server) -> None:
    run = server.finished(server.start("primes_below"))

    assert run["status"] == "succeeded", run
    assert run["results"] == [{"slices": 200, "primes": PRIMES, "largest": LARGEST}]
    children = server.descendants(run["id"])
    assert len(children) == 200
    assert {child["status"] for child in children} == {"succeeded"}
