"""API keys."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from skerry_api.http.schemas.shapes import Cursor, Name, Shape, Time

ScopeName = Literal["read", "trigger", "admin"]

KEY_EXAMPLE: dict[str, Any] = {
    "id": "key-d3k1v2c5f0s73a8b9c20",
    "name": "ci",
    "scopes": ["trigger"],
    "workflow": "shop",
    "prefix": "sk_x8Kq2",
    "createdAt": "2026-11-22T21:04:05.678Z",
    "lastUsedAt": None,
}


class ApiKeyRequest(Shape):
    """A key to make."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "ci", "scopes": ["trigger"], "workflow": "shop"}]}
    )

    name: Name
    scopes: Annotated[
        list[ScopeName],
        Field(min_length=1, max_length=3, description="`trigger` includes `read`; `admin` includes both."),
    ]
    workflow: Annotated[Name | None, Field(description="The slug of the only workflow it may see and use.")] = None


class ApiKey(Shape):
    """A key, without its secret."""

    model_config = ConfigDict(json_schema_extra={"examples": [KEY_EXAMPLE]})

    id: str
    name: str
    scopes: list[ScopeName]
    workflow: str | None
    prefix: Annotated[str, Field(description="How the secret begins, to tell keys apart.")]
    created_at: Time
    last_used_at: Annotated[Time | None, Field(description="To the minute.")]


class ApiKeyItem(Shape):
    """One element of the list of keys."""

    api_key: ApiKey
    cursor: Cursor


class NewApiKey(Shape):
    """A key with its secret, which is shown this once."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"apiKey": KEY_EXAMPLE, "key": "sk_x8Kq2…"}]}  # not a secret
    )

    api_key: ApiKey
    key: Annotated[str, Field(description="Keep it now: only its hash is stored.")]
