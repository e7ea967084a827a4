"""The database's schema: Alembic's migrations, and whether they have all been applied."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from skerry_api.storage.databases import Database

# One key for all of Skerry, so that two processes that start together migrate one after the other.
_MIGRATION_LOCK = 0x736B65727279


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def head_revision() -> str | None:
    """The newest migration this release knows."""
    return ScriptDirectory.from_config(_config()).get_current_head()


async def migrate(database: Database) -> None:
    """Apply every migration not applied yet; safe to run from several processes at once.

    Raises:
        Unavailable: Postgres cannot be reached.
    """
    async with database.transaction() as connection:
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
        await connection.run_sync(_upgrade)


def is_behind(revision: str | None) -> bool:
    """Whether a database at `revision` lacks a migration of this release.

    One that this release does not know is of a newer release, whose migrations leave what older ones use: while a new
    release is rolled out, both run.
    """
    scripts = ScriptDirectory.from_config(_config())
    return revision is None or (
        revision != scripts.get_current_head() and revision in {script.revision for script in scripts.walk_revisions()}
    )


def _upgrade(connection: Connection) -> None:
    if not is_behind(MigrationContext.configure(connection).get_current_revision()):
        return
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def current_revision(connection: AsyncConnection) -> str | None:
    """The migration the database is at, or None for an empty one."""
    return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())
