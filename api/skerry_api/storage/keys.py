"""API keys: only their hashes are stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from skerry_api.storage import tables

Row = Mapping[Any, Any]

_columns = tables.api_keys.c
_A_MINUTE_AGO = func.now() - text("interval '1 minute'")


async def insert_key(connection: AsyncConnection, values: Row) -> Row:
    """Store a key; `values` has id, name, key_hash, prefix, scopes and workflow."""
    stored = await connection.execute(insert(tables.api_keys).values(**values).returning(tables.api_keys))
    key: Row = stored.mappings().one()
    return key


async def ensure_key(connection: AsyncConnection, values: Row) -> None:
    """Store a key unless it is known; one that was revoked stays so."""
    await connection.execute(
        upsert(tables.api_keys).values(**values).on_conflict_do_nothing(index_elements=["key_hash"])
    )


async def fetch_keys(connection: AsyncConnection, limit: int, before: str | None = None) -> list[Row]:
    """The keys that are not revoked, newest first; `before` is the id after which the last page ended."""
    statement = select(tables.api_keys).where(_columns.revoked_at.is_(None)).order_by(_columns.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(_columns.id < before)
    return list((await connection.execute(statement)).mappings())


async def fetch_key(connection: AsyncConnection, key_hash: str) -> Row | None:
    """The key with this hash, unless it is revoked; that it was used is noted at most once a minute."""
    found = await connection.execute(
        select(
            tables.api_keys, or_(_columns.last_used_at.is_(None), _columns.last_used_at < _A_MINUTE_AGO).label("stale")
        )
        .where(_columns.key_hash == key_hash)
        .where(_columns.revoked_at.is_(None))
    )
    key: Row | None = found.mappings().first()
    if key is not None and key["stale"]:
        used = update(tables.api_keys).where(_columns.id == key["id"]).values(last_used_at=func.now())
        await connection.execute(used)
    return key


async def revoke_key(connection: AsyncConnection, key_id: str) -> bool:
    """Refuse a key from now on; False if there is none that is not revoked already."""
    revoked = await connection.execute(
        update(tables.api_keys)
        .where(_columns.id == key_id, _columns.revoked_at.is_(None))
        .values(revoked_at=func.now())
    )
    return bool(revoked.rowcount)
