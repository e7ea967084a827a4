import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.cli.conftest import Cli
from tests.unit.cli.samples import TIME
from tests.unit.cli.servers import FakeServer

REPORT: dict[str, Any] = {
    "start": TIME.format(0),
    "end": TIME.format(9),
    "usage": [
        {
            "task": "shop/send_mail",
            "workflow": "shop",
            "plan": "standard",
            "runs": 120,
            "attempts": 123,
            "seconds": 54.2,
            "cpuSeconds": 12.9,
            "maxRssBytes": 48 << 20,
        }
    ],
    "warm": [{"workflow": "shop", "plan": "standard", "seconds": 7204.5}],
}


@pytest.fixture
def shop(server: FakeServer) -> FakeServer:
    server.answer("GET", "/v1/usage", REPORT)
    return server


def test_usage_shows_waiting_in_rows_of_its_own(cli: Cli, shop: FakeServer) -> None:
    assert [line.split() for line in cli("usage").stdout.splitlines()] == [
        ["WORKFLOW", "TASK", "PLAN", "RUNS", "ATTEMPTS", "TIME", "CPU", "MEMORY"],
        ["shop", "send_mail", "standard", "120", "123", "54.2", "s", "12.9", "s", "48", "MiB"],
        ["shop", "waiting", "standard", "2", "h"],
    ]
    assert json.loads(cli("usage", "--json").stdout) == REPORT


def test_usage_of_a_time_and_a_workflow(cli: Cli, shop: FakeServer) -> None:
    assert cli("usage --last 2h --workflow shop").exit_code == 0
    (asked,) = shop.asked("GET", "/v1/usage")
    assert asked.query["workflow"] == ["shop"]
    assert cli("usage --last 9999999d").exit_code == 0
    start = datetime.fromisoformat(asked.query["start"][0])
    assert timedelta(hours=2) <= datetime.now(UTC) - start < timedelta(hours=2, minutes=1)


def test_what_was_not_measured_is_left_out(cli: Cli, server: FakeServer) -> None:
    server.answer("GET", "/v1/usage", {**REPORT, "warm": [], "usage": [{**REPORT["usage"][0], "maxRssBytes": None}]})
    lines = cli("usage").stdout.splitlines()
    assert len(lines) == 2
    assert lines[1].split()[-2:] == ["12.9", "s"]
