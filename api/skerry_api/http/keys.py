"""API keys: make, list, revoke."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from skerry_api.domain import ids
from skerry_api.domain.errors import NotFound
from skerry_api.http import failures, presentations, queries
from skerry_api.http.authorisations import UnlimitedAdmin
from skerry_api.http.bare_routes import reply
from skerry_api.http.contexts import engine_of, keys_of
from skerry_api.http.schemas.keys import ApiKeyItem, ApiKeyRequest, NewApiKey
from skerry_api.storage import keys
from skerry_api.storage.runners import hash_secret

PREFIX_LENGTH = 8

router = APIRouter(tags=["API keys"])


def new_secret() -> str:
    """A fresh key of 256 bits, such as `sk_x8Kq2…`."""
    return f"sk_{secrets.token_urlsafe(32)}"


def new_key(name: str, scopes: Sequence[str], workflow: str | None = None) -> tuple[str, dict[str, Any]]:
    """A fresh key and the row to store for it, which has only its hash."""
    secret = new_secret()
    return secret, key_row(secret, name, scopes, workflow)


def key_row(secret: str, name: str, scopes: Sequence[str], workflow: str | None = None) -> dict[str, Any]:
    """The row to store for a key: its hash, never itself."""
    return {
        "id": ids.new_id(ids.KEY),
        "name": name,
        "key_hash": hash_secret(secret),
        "prefix": secret[:PREFIX_LENGTH],
        "scopes": list(dict.fromkeys(scopes)),
        "workflow": workflow,
    }


@router.post("/v1/api-keys", status_code=201, response_model=NewApiKey, responses=failures.WRITE)
async def create_key(request: Request, body: ApiKeyRequest, caller: UnlimitedAdmin) -> Response:
    """Make an API key; the reply is the only place where it is shown."""
    secret, values = new_key(body.name, body.scopes, body.workflow)
    async with engine_of(request).database.transaction() as connection:
        row = await keys.insert_key(connection, values)
    return reply({"apiKey": presentations.api_key(row), "key": secret}, 201)


@router.get("/v1/api-keys", response_model=list[ApiKeyItem], responses=failures.READ)
async def list_keys(
    request: Request,
    caller: UnlimitedAdmin,
    limit: queries.Limit = queries.DEFAULT_LIMIT,
    cursor: queries.Cursor = None,
) -> Response:
    """List the API keys that are not revoked, newest first."""
    async with engine_of(request).database.transaction() as connection:
        rows = await keys.fetch_keys(connection, limit, cursor)
    return reply([{"apiKey": presentations.api_key(row), "cursor": row["id"]} for row in rows])


@router.delete("/v1/api-keys/{key_id}", status_code=204, responses=failures.READ_ONE)
async def revoke_key(request: Request, key_id: str, caller: UnlimitedAdmin) -> Response:
    """Revoke an API key: refused at once by this server, by others within five seconds."""
    async with engine_of(request).database.transaction() as connection:
        revoked = await keys.revoke_key(connection, key_id)
    if not revoked:
        raise NotFound(f"there is no API key {key_id!r}", code="api_key_not_found")
    keys_of(request).forget(key_id)
    return Response(status_code=204)
