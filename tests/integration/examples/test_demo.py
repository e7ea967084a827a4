from __future__ import annotations

import subprocess
import sys

import pytest

from examples import servers


def test_demo_shows_the_outage_the_result_and_the_next_steps() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.demo"], cwd=servers.ROOT, capture_output=True, text=True, timeout=100
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Connection refused" in done.stdout
    assert "<li>33.34</li><li>33.33</li><li>33.33</li>" in done.stdout
    assert "&lt;i&gt;lunch&lt;/i&gt;" in done.stdout
    assert "skerry runs watch" in done.stdout
    assert done.stderr == ""


def test_server_that_cannot_import_the_application_says_why() -> None:
    with (
        pytest.raises(servers.ServerError, match="no_such_module"),
        servers.dev_server("examples.no_such_module:app", "broken"),
    ):
        pytest.fail("a server without an application must not get ready")
