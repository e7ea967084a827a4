import json

import pytest

from tests.unit.cli.conftest import Cli
from tests.unit.cli.samples import TIME, a_task
from tests.unit.cli.servers import Answer, FakeServer, Request

WORKFLOW = {
    "id": "wfl-1",
    "name": "Shop",
    "slug": "shop",
    "isolation": "process",
    "concurrencyLimit": None,
    "createdAt": TIME.format(0),
    "updatedAt": TIME.format(0),
    "latestVersionId": "wfv-2",
}
VERSIONS = [
    {
        "id": "wfv-2",
        "status": "registration_failed",
        "error": "Traceback…\nNameError: [x]",
        "createdAt": TIME.format(2),
    },
    {"id": "wfv-1", "status": "ready", "image": "shop:1", "createdAt": TIME.format(1)},
]


@pytest.fixture
def shop(server: FakeServer) -> FakeServer:
    server.answer("GET", "/v1/workflows", [{"workflow": WORKFLOW, "cursor": "c"}])
    server.answer("GET", "/v1/workflowversions", [{"workflowVersion": each, "cursor": "c"} for each in VERSIONS])
    server.answer("GET", "/v1/tasks", [{"task": a_task(), "cursor": "c"}])
    return server


def test_list_and_show(cli: Cli, shop: FakeServer) -> None:
    assert "shop" in cli("workflows", "list").stdout
    assert "shop/hello" in cli("workflows", "show", "shop").stdout
    assert json.loads(cli("workflows", "list", "--json").stdout) == [WORKFLOW]
    assert json.loads(cli("workflows", "show", "wfl-1", "--json").stdout) == {**WORKFLOW, "tasks": [a_task()]}


def test_versions_tell_why_the_newest_could_not_be_registered(cli: Cli, shop: FakeServer) -> None:
    output = cli("workflows", "versions", "shop").stdout
    assert "shop:1" in output
    assert "NameError: [x]" in output
    assert shop.asked("GET", "/v1/workflowversions")[0].query["workflowId"] == ["wfl-1"]


def test_an_unknown_workflow_lists_the_known_ones(cli: Cli, shop: FakeServer) -> None:
    result = cli("workflows", "show", "nope")
    assert result.exit_code == 1
    assert "There are: shop." in result.stderr


def test_delete_needs_a_confirmation(cli: Cli, shop: FakeServer) -> None:
    shop.answer("DELETE", "/v1/workflows/wfl-1", None, 204)
    assert cli("workflows", "delete", "shop").exit_code == 2
    assert shop.asked("DELETE", "/v1/workflows/wfl-1") == []
    assert cli("workflows", "delete", "shop", "--yes").exit_code == 0
    assert len(shop.asked("DELETE", "/v1/workflows/wfl-1")) == 1


def test_deploy_releases_an_image_to_a_known_workflow(cli: Cli, shop: FakeServer) -> None:
    states = iter(["registering", "ready"])
    shop.answer("POST", "/v1/workflowversions", {"id": "wfv-3", "status": "registering"}, 202)
    shop.handle("GET", "/v1/workflowversions/wfv-3", lambda _: (200, {"id": "wfv-3", "status": next(states)}))
    result = cli("deploy shop --image shop:2 --wait")
    assert result.exit_code == 0
    assert shop.asked("POST", "/v1/workflowversions")[0].body == {"workflowId": "wfl-1", "image": "shop:2"}
    assert result.stdout == "Released shop:2 to shop as wfv-3\n"
    assert cli("deploy shop --image shop:2").stdout.startswith("Releasing shop:2")


def test_deploy_sends_the_settings_that_were_given(cli: Cli, shop: FakeServer) -> None:
    shop.answer("POST", "/v1/workflowversions", {"id": "wfv-3", "status": "registering"}, 202)
    assert (
        cli("deploy shop --image shop:2 --isolation process --capacity 8 --warm-min 0 --idle-seconds 9").exit_code == 0
    )
    sent = {"isolation": "process", "capacity": 8, "warm": {"min": 0, "idleSeconds": 9}}
    assert shop.asked("POST", "/v1/workflowversions")[0].body == {"workflowId": "wfl-1", "image": "shop:2", **sent}
    assert cli("deploy shop --image shop:2 --isolation worker").exit_code == 2


def test_deploy_tells_once_what_it_waits_for(cli: Cli, shop: FakeServer) -> None:
    pulls, full = ({"reason": "Waiting", "message": words} for words in ("Back-off pulling image", "0/3 nodes"))
    looks = iter(
        [
            ("registering", None),
            *[("registering", pulls)] * 2,
            ("registering", full),
            ("registering", pulls),
            ("ready", None),
        ]
    )

    def look(_: Request) -> Answer:
        status, waiting = next(looks)
        return 200, {"id": "wfv-3", "status": status, "waiting": waiting}

    shop.answer("POST", "/v1/workflowversions", {"id": "wfv-3", "status": "registering", "waiting": None}, 202)
    shop.handle("GET", "/v1/workflowversions/wfv-3", look)
    result = cli("deploy shop --image shop:2 --wait")
    assert result.stderr.splitlines() == ["waiting: Back-off pulling image", "waiting: 0/3 nodes"]
    assert result.stdout == "Released shop:2 to shop as wfv-3\n"


def test_versions_tell_what_the_newest_waits_for(cli: Cli, shop: FakeServer) -> None:
    waiting = {"reason": "Waiting", "message": "0/3 nodes"}
    newest = {"id": "wfv-3", "status": "registering", "waiting": waiting, "createdAt": TIME.format(3)}
    shop.answer("GET", "/v1/workflowversions", [{"workflowVersion": newest, "cursor": "c"}])
    assert cli("workflows", "versions", "shop").stderr == "wfv-3 is waiting: 0/3 nodes\n"


def test_deploy_ends_with_status_1_when_the_tasks_cannot_be_loaded(cli: Cli, shop: FakeServer) -> None:
    shop.answer("POST", "/v1/workflowversions", VERSIONS[0], 202)
    result = cli("deploy shop --image shop:2 --wait")
    assert result.exit_code == 1
    assert "NameError: [x]" in result.stdout
    assert cli("deploy shop --image shop:2 --wait --json").exit_code == 1


@pytest.mark.parametrize(
    ("status", "code"), [(501, "not_supported"), (405, "method_not_allowed"), (400, "not_supported")]
)
def test_deploy_says_when_the_server_cannot_and_leaves_nothing(
    cli: Cli, server: FakeServer, status: int, code: str
) -> None:
    server.answer("GET", "/v1/workflows", [])
    server.answer("POST", "/v1/workflows", WORKFLOW, 201)
    server.answer("DELETE", "/v1/workflows/wfl-1", None, 204)
    server.refuse("POST", "/v1/workflowversions", status, code, "Images need Kubernetes.")
    result = cli("deploy", "shop", "--image", "shop:2")
    assert result.exit_code == 1
    assert "cannot deploy images" in result.stderr
    assert "skerry dev" in result.stderr
    assert len(server.asked("DELETE", "/v1/workflows/wfl-1")) == 1


def test_plans(cli: Cli, server: FakeServer) -> None:
    plans = [
        {"name": "starter", "cpu": 0.5, "memoryBytes": 512 << 20},
        {"name": "pro", "cpu": 2, "memoryBytes": 4 << 30},
    ]
    server.answer("GET", "/v1/plans", [{"plan": plan} for plan in plans])
    assert [line.split() for line in cli("plans").stdout.splitlines()] == [
        ["PLAN", "CPU", "MEMORY"],
        ["starter", "0.5", "512", "MiB"],
        ["pro", "2", "4", "GiB"],
    ]
    assert json.loads(cli("plans", "--json").stdout) == plans


def test_pools(cli: Cli, server: FakeServer) -> None:
    pools = [
        {
            "id": "wfv-1-standard",
            "workflow": "shop",
            "workflowVersionId": "wfv-1",
            "freeSlots": 0,
            "plan": "standard",
            "wanted": 2,
            "idle": 1,
            "starting": 1,
            "claimed": 4,
            "why": "least",
        },
        {"id": "wfv-2", "workflow": "dev", "workflowVersionId": "wfv-2", "freeSlots": 8},
    ]
    server.answer("GET", "/v1/pools", [{"pool": pool} for pool in pools])
    assert [line.split() for line in cli("pools").stdout.splitlines()] == [
        ["WORKFLOW", "VERSION", "PLAN", "WANTED", "IDLE", "STARTING", "CLAIMED", "WHY"],
        ["shop", "wfv-1", "standard", "2", "1", "1", "4", "least"],
        ["dev", "wfv-2", "8"],
    ]
    assert json.loads(cli("pools", "--json").stdout) == pools
