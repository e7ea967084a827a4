"""Keys are cached, for a while and once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from skerry_api.domain.errors import Unauthenticated, Unavailable
from skerry_api.http import authorisations
from skerry_api.http.authorisations import CACHE_SECONDS, Caller, KeyRing, Scope
from skerry_api.storage import keys
from skerry_api.storage.runners import hash_secret


class Transaction:
    """A database whose transactions do nothing."""

    def transaction(self) -> Any:
        return self

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *error: object) -> None:
        return None


class Store:
    """The stored keys, and how often they were asked for."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.queries = 0
        self.away = False

    def add(self, secret: str, *scopes: str) -> None:
        self.rows[hash_secret(secret)] = {"id": f"key-{secret}", "scopes": list(scopes), "workflow": None}

    async def fetch_key(self, connection: object, key_hash: str) -> dict[str, Any] | None:
        self.queries += 1
        await asyncio.sleep(0)
        if self.away:
            raise Unavailable("the database is away")
        return self.rows.get(key_hash)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    store = Store()
    monkeypatch.setattr(keys, "fetch_key", store.fetch_key)
    return store


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


@pytest.fixture
def ring(clock: list[float]) -> KeyRing:
    return KeyRing(lambda: clock[0])


DATABASE: Any = Transaction()


async def test_requests_that_come_together_share_one_query(store: Store, ring: KeyRing) -> None:
    store.add("a", "read")
    callers = await asyncio.gather(*(ring.find(DATABASE, "a") for _ in range(50)))
    assert {caller.key_id for caller in callers} == {"key-a"}
    assert store.queries == 1


async def test_a_key_is_asked_for_again_after_a_while(store: Store, ring: KeyRing, clock: list[float]) -> None:
    store.add("a", "read")
    await ring.find(DATABASE, "a")
    clock[0] = CACHE_SECONDS - 0.001
    await ring.find(DATABASE, "a")
    assert store.queries == 1
    clock[0] = CACHE_SECONDS
    store.rows.clear()
    with pytest.raises(Unauthenticated):
        await ring.find(DATABASE, "a")


async def test_a_key_forgotten_here_is_asked_for_at_once(store: Store, ring: KeyRing) -> None:
    store.add("a", "read")
    store.add("b", "read")
    await ring.find(DATABASE, "a")
    await ring.find(DATABASE, "b")
    ring.forget("key-a")
    await ring.find(DATABASE, "a")
    await ring.find(DATABASE, "b")
    assert store.queries == 3


async def test_unknown_keys_and_outages_are_not_cached(store: Store, ring: KeyRing) -> None:
    with pytest.raises(Unauthenticated):
        await ring.find(DATABASE, "a")
    store.add("a", "read")
    store.away = True
    with pytest.raises(Unavailable):
        await ring.find(DATABASE, "a")
    store.away = False
    assert (await ring.find(DATABASE, "a")).key_id == "key-a"


async def test_a_request_that_is_dropped_does_not_end_the_others(store: Store, ring: KeyRing) -> None:
    store.add("a", "read")
    first = asyncio.create_task(ring.find(DATABASE, "a"))
    second = asyncio.create_task(ring.find(DATABASE, "a"))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).key_id == "key-a"


async def test_the_cache_is_bounded(store: Store, ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authorisations, "_CACHE_SIZE", 3)
    for number in range(10):
        store.add(str(number), "read")
        await ring.find(DATABASE, str(number))
    assert len(ring._known) <= 3


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [("read", {Scope.READ}), ("trigger", {Scope.READ, Scope.TRIGGER}), ("admin", set(Scope))],
)
async def test_scopes_include_the_lesser_ones(store: Store, ring: KeyRing, scope: str, allowed: set[Scope]) -> None:
    store.add("a", scope)
    assert (await ring.find(DATABASE, "a")).scopes == allowed


def test_a_caller_sees_its_workflow_only() -> None:
    assert Caller(frozenset()).sees("shop")
    assert Caller(frozenset(), "shop").sees("shop")
    assert not Caller(frozenset(), "shop").sees("other")


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("localhost:8120", True),
        ("app.localhost:8120", True),
        ("127.0.0.1:8120", True),
        ("[::1]:8120", True),
        ("::1", False),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example:80", False),
        ("notlocalhost", False),
        ("", False),
    ],
)
def test_only_names_of_this_machine_are_local(host: str, local: bool) -> None:
    assert bool(authorisations._LOCAL_HOST.match(host)) is local
