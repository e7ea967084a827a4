from __future__ import annotations

from collections.abc import Iterator

import pytest

from examples.etl import main as etl
from skerry import NonRetryable
from tests.integration.examples.conftest import Server, example_server

REASONS = [
    "quantity must be more than zero, not -2",
    "day is out of range for month",
    "region 'nowhere' is none of east, north, south, west",
    "unit_price '' is not a number",
    "quantity 'two' is not a number",
    "order A0013 is already on line 14",
    "unit_price must be more than zero, not -1.50",
    "order_id is empty",
]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with example_server("examples.etl.main:app", "etl") as server:
        yield server


async def test_report_in_process_names_every_bad_row() -> None:
    report = await etl.run_etl()

    assert [rejection.reason for rejection in report.rejections] == REASONS
    assert report.orders == 240 - len(REASONS)
    assert sum(report.cents_by_region.values()) == sum(report.cents_by_month.values()) == report.cents


async def test_report_does_not_depend_on_the_chunks() -> None:
    assert await etl.run_etl(chunk_rows=7) == await etl.run_etl(chunk_rows=1000)


async def test_unknown_file_is_refused_in_process() -> None:
    with pytest.raises(NonRetryable, match=r"no file 'orders\.xls' here"):
        await etl.run_etl("orders.xls")


def test_report_on_a_server_has_one_run_per_chunk(server: Server) -> None:
    run = server.finished(server.start("run_etl", "orders.csv", 60))

    assert run["status"] == "succeeded", run
    assert [rejection["reason"] for rejection in run["results"][0]["rejections"]] == REASONS
    names = sorted(child["taskName"] for child in server.descendants(run["id"]))
    assert names == ["aggregate", "extract", *["validate"] * 4]


def test_unknown_file_fails_on_a_server_without_a_retry_of_the_extraction(server: Server) -> None:
    run = server.finished(server.start("extract", "orders.xls", 60))

    assert (run["status"], run["retries"]) == ("failed", 0)
    assert "no file 'orders.xls' here" in run["error"]
