from __future__ import annotations

import sys
import time
import urllib.request
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples import servers
from examples.generation_loop import drafts
from examples.generation_loop import main as loop
from tests.integration.examples.conftest import Server, example_server

PROMPT = "a page that shares a restaurant bill"
BEYOND_THE_MODEL = "a page that shares a bill in any currency"


@pytest.fixture(scope="module")
def preview_port() -> int:
    return servers.free_port()


@pytest.fixture(scope="module")
def project_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("projects")


@pytest.fixture(scope="module")
def server(preview_port: int, project_store: Path) -> Iterator[Server]:
    environment = {"PREVIEW_URL": f"http://127.0.0.1:{preview_port}", "PROJECT_STORE": str(project_store)}
    with example_server("examples.generation_loop.main:app", "generation-loop", environment) as server:
        yield server


@pytest.fixture
def local_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("PREVIEW_URL", raising=False)
    monkeypatch.setenv("PROJECT_STORE", str(tmp_path))
    return tmp_path


async def test_loop_in_process_repairs_the_draft_until_its_tests_pass(local_store: Path) -> None:
    outcome = await loop.generation_loop(PROMPT, "ada")

    assert (outcome.success, outcome.repairs) == (True, 2)
    assert outcome.snapshot is not None
    with zipfile.ZipFile(local_store / "snapshots" / outcome.snapshot) as project:
        assert sorted(project.namelist()) == ["test_webapp.py", "webapp.py"]
    [preview] = _names_in(local_store / "previews" / "ada")
    assert outcome.preview_url == (local_store / "previews" / "ada" / preview).as_uri()


async def test_loop_in_process_explains_what_it_could_not_repair(local_store: Path) -> None:
    outcome = await loop.generation_loop(BEYOND_THE_MODEL, "ada")

    assert (outcome.success, outcome.repairs) == (False, loop.MAX_REPAIRS)
    assert outcome.diagnosis is not None
    assert "AssertionError: '$' not found" in outcome.diagnosis
    assert _names_in(local_store) == []


def test_first_draft_is_really_defective(tmp_path: Path) -> None:
    files = drafts.first_draft(*drafts.outline(PROMPT))
    scope: dict[str, object] = {}
    exec(files["webapp.py"], scope)
    shares = scope["shares"]

    assert callable(shares)
    assert sum(shares(1000, 3)) == 999


def test_a_title_can_hold_anything() -> None:
    files = drafts.first_draft(*drafts.outline('say """ and {braces} and \\ and \''))

    compile(files["webapp.py"], "webapp.py", "exec")


def test_loop_on_a_server_outlasts_an_absent_preview_host(
    server: Server, preview_port: int, project_store: Path
) -> None:
    run_id = server.start("generation_loop", PROMPT, "ada")
    _wait_for_failed_push(server, run_id)
    with servers.running([sys.executable, "-m", "examples.generation_loop.preview_host", str(preview_port)]):
        run = server.finished(run_id)

        assert run["status"] == "succeeded", run
        outcome = run["results"][0]
        assert (outcome["success"], outcome["repairs"]) == (True, 2)
        with urllib.request.urlopen(f"{outcome['preview_url']}?cents=1000&people=3", timeout=10) as page:
            assert b"<li>3.34</li><li>3.33</li><li>3.33</li>" in page.read()
    assert (project_store / "snapshots" / outcome["snapshot"]).exists()
    children = server.descendants(run_id)
    assert Counter(child["taskName"] for child in children) == {
        "plan_structure": 1,
        "generate_code": 1,
        "build_in_sandbox": 3,
        "revise_plan": 2,
        "fix_code": 2,
        "push_preview": 1,
        "save_snapshot": 1,
    }
    push = next(child for child in children if child["taskName"] == "push_preview")
    assert push["retries"] >= 1
    assert [attempt["status"] for attempt in push["attempts"]][-1] == "succeeded"
    assert "Connection refused" in push["attempts"][0]["error"]


def test_loop_on_a_server_ends_with_a_diagnosis(server: Server) -> None:
    outcome = server.result("generation_loop", BEYOND_THE_MODEL, "ada")

    assert (outcome["success"], outcome["preview_url"], outcome["snapshot"]) == (False, None, None)
    assert "AssertionError: '$' not found" in outcome["diagnosis"]


def _names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _wait_for_failed_push(server: Server, run_id: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        pushes = [child for child in server.descendants(run_id) if child["taskName"] == "push_preview"]
        if any(attempt["status"] == "failed" for push in pushes for attempt in push["attempts"]):
            return
        time.sleep(0.05)
    pytest.fail("push_preview did not fail although there is no preview host")
