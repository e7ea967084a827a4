"""Who may do what: API keys, cached for a few seconds so that a hot request costs no query."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from skerry_api.domain.errors import Forbidden, Unauthenticated
from skerry_api.http.contexts import engine_of, keys_of
from skerry_api.storage import keys
from skerry_api.storage.databases import Database
from skerry_api.storage.runners import hash_secret

# A key that was revoked on another replica is refused here after at most this long.
CACHE_SECONDS = 3.0
_CACHE_SIZE = 10_000
# `localhost`, names below it, and literal addresses of both families, each with or without a port.
_LOCAL_HOST = re.compile(r"(([a-z0-9-]+\.)*localhost|[0-9]+(\.[0-9]+){3}|\[[0-9a-f:.]+\])(:[0-9]+)?\Z", re.IGNORECASE)


class Scope(StrEnum):
    """What a key allows; each includes the ones before it."""

    READ = "read"
    TRIGGER = "trigger"  # start, retry and cancel runs
    ADMIN = "admin"  # workflows, versions and keys


_IMPLIED = {
    Scope.READ: frozenset({Scope.READ}),
    Scope.TRIGGER: frozenset({Scope.READ, Scope.TRIGGER}),
    Scope.ADMIN: frozenset(Scope),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request; `workflow` is the only one it may see, None for all."""

    scopes: frozenset[Scope]
    workflow: str | None = None
    key_id: str | None = None

    def sees(self, workflow: str) -> bool:
        """Whether this caller may know of a workflow (by slug) and what belongs to it."""
        return self.workflow is None or self.workflow == workflow


ANYONE = Caller(frozenset(Scope))


class KeyRing:
    """The keys that were used here lately."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is known yet; `clock` gives seconds."""
        self._clock = clock
        self._known: dict[str, tuple[Caller, float]] = {}
        self._finding: dict[str, asyncio.Future[Caller]] = {}

    async def find(self, database: Database, secret: str) -> Caller:
        """Who holds `secret`.

        Raises:
            Unauthenticated: there is no such key, or it was revoked.
            Unavailable: it is not cached, and Postgres is away.
        """
        key_hash = hash_secret(secret)
        caller, expires = self._known.get(key_hash, (None, 0.0))
        if caller is not None and self._clock() < expires:
            return caller
        # Requests that arrive together share one query; shielded, so that one that is dropped does not end the others'.
        finding = self._finding.get(key_hash)
        if finding is None:
            finding = asyncio.ensure_future(self._fetch(database, key_hash))
            self._finding[key_hash] = finding
            finding.add_done_callback(lambda done: self._forget_finding(key_hash, done))
        return await asyncio.shield(finding)

    async def _fetch(self, database: Database, key_hash: str) -> Caller:
        async with database.transaction() as connection:
            row = await keys.fetch_key(connection, key_hash)
        if row is None:
            self._known.pop(key_hash, None)
            raise Unauthenticated("the API key is not known or was revoked")
        scopes = frozenset[Scope]().union(*(_IMPLIED[Scope(name)] for name in row["scopes"]))
        caller = Caller(scopes, row["workflow"], row["id"])
        if len(self._known) >= _CACHE_SIZE:
            self._known.clear()
        self._known[key_hash] = (caller, self._clock() + CACHE_SECONDS)
        return caller

    def _forget_finding(self, key_hash: str, done: asyncio.Future[Caller]) -> None:
        self._finding.pop(key_hash, None)
        if not done.cancelled():
            done.exception()  # Whoever waits has it; nobody may be left who does.

    def forget(self, key_id: str) -> None:
        """A key was revoked here: refuse it from the next request on."""
        self._known = {key_hash: known for key_hash, known in self._known.items() if known[0].key_id != key_id}


async def authorise(connection: HTTPConnection, scope: Scope) -> Caller:
    """Who makes this request, if they may.

    Raises:
        Unauthenticated: no key was given, or it is not known.
        Forbidden: the key lacks `scope`.
    """
    engine = engine_of(connection)
    headers: dict[bytes, bytes] = dict(connection.scope["headers"])
    if not engine.settings.require_keys:
        _check_local(_text(headers, b"host") or "", _text(headers, b"origin"))
        return ANYONE
    kind, _, secret = (_text(headers, b"authorization") or "").partition(" ")
    if kind.lower() != "bearer" or not secret.strip():
        raise Unauthenticated("an API key is needed: send 'Authorization: Bearer sk_…'")
    caller = await keys_of(connection).find(engine.database, secret.strip())
    if scope not in caller.scopes:
        raise Forbidden(f"this API key lacks the scope {scope.value!r}")
    return caller


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")


def _check_local(host: str, origin: str | None) -> None:
    """Keep web pages away from a server on this machine that asks for no keys.

    A page can open a WebSocket to anywhere, and reach this machine under a name of its own (DNS rebinding).

    Raises:
        Forbidden: the request names another host than this machine, or comes from a page of another host.
    """
    if not _LOCAL_HOST.match(host):
        raise Forbidden(
            f"without API keys this server answers to localhost and IP addresses only, not to {host!r}",
            code="host_not_allowed",
        )
    if origin is not None and origin.partition("://")[2] != host:
        raise Forbidden(f"a page of {origin!r} may not use a server without API keys", code="origin_not_allowed")


def require(scope: Scope, *, unlimited: bool = False) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency that answers the caller if it has `scope` (and, if `unlimited`, is not limited to a workflow)."""

    async def dependency(request: Request) -> Caller:
        caller = await authorise(request, scope)
        if unlimited and caller.workflow is not None:
            raise Forbidden(f"this API key is limited to workflow {caller.workflow!r}")
        return caller

    return dependency


Reader = Annotated[Caller, Depends(require(Scope.READ))]
Operator = Annotated[Caller, Depends(require(Scope.TRIGGER))]
Admin = Annotated[Caller, Depends(require(Scope.ADMIN))]
UnlimitedAdmin = Annotated[Caller, Depends(require(Scope.ADMIN, unlimited=True))]
