"""API keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from skerry.models.values import Json, Model, moment


@dataclass(frozen=True, slots=True)
class ApiKey(Model):
    """An API key without its secret; `prefix` is how that starts."""

    id: str
    name: str
    scopes: tuple[str, ...]
    workflow: str | None
    created_at: datetime | None
    last_used_at: datetime | None
    prefix: str | None

    @classmethod
    def from_json(cls, fields: Json) -> Self:
        """Read the API's spelling."""
        get = fields.get
        return cls(
            raw=fields,
            id=fields["id"],
            name=get("name") or "",
            scopes=tuple(get("scopes") or ()),
            workflow=get("workflow"),
            created_at=moment(get("createdAt")),
            last_used_at=moment(get("lastUsedAt")),
            prefix=get("prefix"),
        )


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key that was just made. `key` is the secret; the server does not show it again."""

    api_key: ApiKey
    key: str = field(repr=False)

    @classmethod
    def from_json(cls, fields: Json) -> Self:
        """Read the API's spelling."""
        return cls(ApiKey.from_json(fields["apiKey"]), fields["key"])
