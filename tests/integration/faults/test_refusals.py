"""A server that cannot start says why in one line that a program can read."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.integration.faults.clusters import HERE
from tests.integration.faults.test_leaving import Dev, eventually

COMMAND = [str(Path(sys.executable).with_name("skerry-api")), "dev", "--workdir", str(HERE), "--app", "tasks:app"]


def fatal(*arguments: str) -> dict[str, str]:
    """The last line of a server that refuses to start."""
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    line: dict[str, str] = json.loads(done.stderr.splitlines()[-1])
    assert line["event"] == "fatal"
    return line


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refusal = fatal("--port", str(port), "--data", str(tmp_path))
    assert refusal["code"] == "port_in_use"
    assert f"127.0.0.1:{port}" in refusal["message"]
    assert "--port" in refusal["message"]


def test_a_data_folder_in_use() -> None:
    with tempfile.TemporaryDirectory(prefix="skerry-", ignore_cleanup_errors=True) as folder:
        first = Dev(Path(folder))
        try:
            eventually(lambda: first.api("/readyz"), 40)
            refusal = fatal("--port", "0", "--data", folder)
        finally:
            first.close_pipes()
            first.popen.wait(20)
    assert refusal["code"] == "data_in_use"
    assert folder in refusal["message"]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.test"])
def test_an_address_others_can_reach_needs_keys(host: str, tmp_path: Path) -> None:
    refusal = fatal("--host", host, "--data", str(tmp_path))
    assert refusal["code"] == "insecure_bind"
    assert host in refusal["message"]


def test_a_setting_that_makes_no_sense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKERRY_LEASE_SECONDS", "soon")
    refusal = fatal("--port", "0", "--data", str(tmp_path))
    assert "SKERRY_LEASE_SECONDS" in refusal["message"]


def test_a_database_that_was_not_migrated(postgres: str) -> None:
    command = [COMMAND[0], "serve", "--port", "0", "--database-url", postgres]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    refusal = json.loads(done.stderr.splitlines()[-1])
    assert (done.returncode, refusal["code"]) == (1, "migrations_missing")
    assert "skerry-api migrate" in refusal["message"]


def test_neither_application_nor_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND[:2], "--data", str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert json.loads(done.stderr.splitlines()[-1])["code"] == "usage"
