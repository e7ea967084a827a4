"""Migrations: applied by a command, harmless to a release that is older or newer than the database."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from skerry_api.storage import keys, schemas
from skerry_api.storage.databases import Database
from skerry_api.storage.runners import hash_secret

MIGRATE = [str(Path(sys.executable).with_name("skerry-api")), "migrate"]
KEY = "sk_made-by-whoever-installed-it"


@pytest.mark.parametrize(
    ("revision", "behind"), [(None, True), ("0001", True), (schemas.head_revision(), False), ("9999", False)]
)
def test_a_database_is_behind_until_it_has_all_we_know(revision: str | None, behind: bool) -> None:
    assert schemas.is_behind(revision) is behind


async def test_a_database_of_a_newer_release_is_left_alone(database_url: str) -> None:
    database = Database(database_url)
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await schemas.migrate(database)
    async with database.transaction() as connection:
        assert await schemas.current_revision(connection) == "9999"
    await database.close()


async def test_the_installations_key_is_stored_once_and_stays_revoked(database_url: str) -> None:
    database = Database(database_url)

    async def migrate() -> int:
        environment = {**os.environ, "SKERRY_ADMIN_KEY": KEY}
        process = await asyncio.create_subprocess_exec(
            *MIGRATE, "--database-url", database_url, env=environment, stdout=subprocess.DEVNULL
        )
        return await process.wait()

    assert await migrate() == 0
    assert await migrate() == 0
    async with database.transaction() as connection:
        (stored,) = await keys.fetch_keys(connection, 10)
        assert (stored["key_hash"], stored["scopes"]) == (hash_secret(KEY), ["admin"])
        assert await keys.revoke_key(connection, stored["id"])
    assert await migrate() == 0
    async with database.transaction() as connection:
        assert await keys.fetch_keys(connection, 10) == []
    await database.close()


def test_a_database_that_is_away_is_waited_for_a_while() -> None:
    url = "postgresql://nobody@127.0.0.1:1/nothing"
    done = subprocess.run(
        [*MIGRATE, "--database-url", url, "--wait-seconds", "1"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = done.stderr.splitlines()
    assert done.returncode == 1
    assert any("waiting_for_database" in line for line in lines[:-1])
    assert "the database is away" in lines[-1]
