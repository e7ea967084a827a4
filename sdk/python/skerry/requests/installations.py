"""The installation itself: whether it is there, and who may use it."""

from __future__ import annotations

from collections.abc import Sequence

from skerry.errors import ApiError, ConnectionFailed
from skerry.models import ApiKey, NewApiKey
from skerry.requests.conversations import Listing, Operation, Request, body_of, listing, segment


def is_live() -> Operation[bool]:
    """Whether the server answers at all; asked once, without retries."""
    return (yield from _answers("/healthz"))


def is_ready() -> Operation[bool]:
    """Whether the server can do its work: Postgres is there and migrated; asked once, without retries."""
    return (yield from _answers("/readyz"))


def _answers(path: str) -> Operation[bool]:
    try:
        yield Request("GET", path, is_probe=True)
    except (ApiError, ConnectionFailed):
        return False
    return True


def create_api_key(name: str, scopes: Sequence[str], workflow: str | None = None) -> Operation[NewApiKey]:
    """Make an API key with `scopes` (read, trigger, admin), optionally for one workflow only. Its secret is shown once."""
    fields = {"name": name, "scopes": list(scopes), **({"workflow": workflow} if workflow else {})}
    answer = yield Request("POST", "/v1/api-keys", body=body_of(fields), idempotent=False)
    return NewApiKey.from_json(answer.value)


def list_api_keys(*, limit: int | None = None) -> Listing:
    """API keys, without their secrets."""
    return listing("/v1/api-keys", "apiKey", ApiKey.from_json, (), limit)


def revoke_api_key(key_id: str) -> Operation[None]:
    """Make an API key worthless."""
    yield Request("DELETE", f"/v1/api-keys/{segment(key_id)}")
