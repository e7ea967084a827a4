"""Runner processes and control-plane replicas: who may connect, and who still vouches for what."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from skerry_api.storage import statements, tables
from skerry_api.storage.assignments import Assignment, assignment_from
from skerry_api.storage.databases import fetch_rows

Row = Mapping[Any, Any]


def hash_secret(secret: str) -> str:
    """How a random secret is stored: its SHA-256 (the secret has 128 bits or more, so no salt is needed)."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def insert_runner(connection: AsyncConnection, values: Row) -> None:
    """Admit a runner that is about to be started."""
    await connection.execute(insert(tables.runners).values(**values))


async def admit_runner(connection: AsyncConnection, values: Row) -> Row | None:
    """Admit a runner, or the same again; None when it is known to be gone."""
    await connection.execute(upsert(tables.runners).values(**values).on_conflict_do_nothing())
    known = (tables.runners.c.id == values["id"], tables.runners.c.gone_at.is_(None))
    return (await connection.execute(select(tables.runners).where(*known))).mappings().first()


async def fetch_runner(connection: AsyncConnection, token: str) -> Row | None:
    """The runner this token belongs to, with its `version_status`; None when unknown or gone."""
    found = await connection.execute(
        select(tables.runners, tables.versions.c.status.label("version_status"))
        .join(tables.versions, tables.versions.c.id == tables.runners.c.version_id)
        .where(tables.runners.c.token_hash == hash_secret(token), tables.runners.c.gone_at.is_(None))
    )
    return found.mappings().first()


async def mark_runner_gone(connection: AsyncConnection, runner_id: str) -> None:
    """A runner's process has ended: what it held is lost, and its token is worth nothing."""
    await connection.execute(
        update(tables.runners).where(tables.runners.c.id == runner_id).values(gone_at=func.now(), lease_until=None)
    )


async def fetch_held(connection: AsyncConnection, runner_id: str, inline_bytes: int) -> list[Assignment]:
    """The live attempts of a runner."""
    parameters = {"runner_id": runner_id, "inline_bytes": inline_bytes}
    return [assignment_from(row) for row in await fetch_rows(connection, statements.HELD, parameters)]


async def renew_leases(connection: AsyncConnection, runner_ids: Sequence[str], lease_ms: int) -> None:
    """Vouch for connected runners."""
    await connection.exec_driver_sql(statements.RENEW_LEASES, (lease_ms, list(runner_ids)))


async def fetch_ended_elsewhere(connection: AsyncConnection, attempts: Sequence[str]) -> dict[str, str | None]:
    """Those of `attempts` that are over, with their reasons."""
    return {row[0]: row[1] for row in await fetch_rows(connection, statements.ENDED_ELSEWHERE, (list(attempts),))}


async def beat_replica(connection: AsyncConnection, replica_id: str, alone_after_seconds: float) -> int:
    """Say that this replica lives; answers how many others do."""
    statement = upsert(tables.replicas).values(id=replica_id, seen_at=func.now())
    await connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_={"seen_at": func.now()}))
    alive = func.now() - text(f"interval '{alone_after_seconds} seconds'")
    found = await connection.execute(
        select(func.count()).where(tables.replicas.c.id != replica_id, tables.replicas.c.seen_at > alive)
    )
    return int(found.scalar_one())


async def remove_replica(connection: AsyncConnection, replica_id: str) -> None:
    """A replica leaves in good order."""
    await connection.execute(delete(tables.replicas).where(tables.replicas.c.id == replica_id))


async def mark_others_gone(connection: AsyncConnection, workflow_id: str, kept: Sequence[str]) -> None:
    """Every runner of a workflow but those `kept` is gone: the process that started them is."""
    others = (tables.runners.c.workflow_id == workflow_id, tables.runners.c.id.not_in(kept))
    await connection.execute(
        update(tables.runners)
        .where(*others, tables.runners.c.gone_at.is_(None))
        .values(gone_at=func.now(), lease_until=None)
    )


async def adopt_queued(connection: AsyncConnection, workflow_id: str, pool: str, kept: Sequence[str]) -> int:
    """Move queued work of a workflow to `pool`, except that of the pools `kept`; answers what is still open elsewhere."""
    parameters = {"pool": pool, "workflow_id": workflow_id, "kept": [pool, *kept]}
    await connection.exec_driver_sql(statements.ADOPT_QUEUED, parameters)
    return int((await fetch_rows(connection, statements.OPEN_OUTSIDE, parameters))[0][0])


async def count_open(connection: AsyncConnection, pool: str) -> int:
    """How many attempts of a pool are not over."""
    return int((await fetch_rows(connection, statements.OPEN_IN_POOL, (pool,)))[0][0])
