"""What every operation is made of: requests, answers, pages, and how values are spelled in a URL or a body."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

from skerry.errors import SerializationError
from skerry.models import Json
from skerry.serialization.encode import Unserializable, to_json

T = TypeVar("T")

PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. Only `idempotent` ones are sent again when it is unclear whether they arrived.

    Attributes:
        extra_seconds: how long the server may hold the answer, on top of the client's timeout.
        timeout_seconds: instead of the client's timeout.
        is_probe: asked once, whatever comes; the body does not matter.
    """

    method: str
    path: str
    params: Sequence[tuple[str, str]] = ()
    body: bytes | None = None
    idempotent: bool = True
    extra_seconds: float = 0.0
    timeout_seconds: float | None = None
    is_probe: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The decoded answer of a request that succeeded."""

    status: int
    value: Any


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, and the cursor of what follows (None: nothing does)."""

    items: Sequence[Any]
    cursor: str | None


Operation = Generator[Request, Answer, T]
Listing = Callable[[str | None], Operation[Page]]


def segment(text: str) -> str:
    """A value as one part of a path."""
    return quote(text, safe="")


def query(**filters: Any) -> list[tuple[str, str]]:
    """Query parameters: None is left out, sequences are repeated, datetimes and booleans spelled as the API does."""
    pairs: list[tuple[str, str]] = []
    for name, value in filters.items():
        for item in value if isinstance(value, list | tuple | set | frozenset) else (value,):
            if item is not None:
                pairs.append((name, timestamp(item) or "" if isinstance(item, datetime) else _text(item)))
    return pairs


def timestamp(value: datetime | None) -> str | None:
    """A moment as the API spells it.

    Raises:
        ValueError: it has no time zone.
    """
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone; use datetime.now(UTC) or an aware datetime")
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(value: Any) -> str:
    return (
        ("true" if value else "false")
        if isinstance(value, bool)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


def body_of(value: Any) -> bytes:
    """A JSON body.

    Raises:
        SerializationError: some part has no JSON form; the message names its path.
    """
    try:
        return to_json(value)
    except Unserializable as error:
        raise SerializationError(f"body{error.path}: {error.problem}") from None


def listing(
    path: str, key: str, read: Callable[[Json], Any], filters: Sequence[tuple[str, str]] = (), limit: int | None = None
) -> Listing:
    """A list whose elements are `{key: …, "cursor": …}`."""
    size = PAGE_SIZE if limit is None else min(limit, PAGE_SIZE)

    def page(cursor: str | None) -> Operation[Page]:
        answer = yield Request("GET", path, [*filters, *query(limit=size, cursor=cursor)])
        items = [read(entry[key]) for entry in answer.value]
        following = answer.value[-1].get("cursor") if len(items) >= size and items else None
        return Page(items, following)

    return page


def any_request(
    method: str,
    path: str,
    *,
    params: Mapping[str, Any] | None = None,
    json: Any = None,
    timeout_seconds: float | None = None,
    idempotent: bool | None = None,
) -> Operation[Any]:
    """Any route: the decoded answer as it came, None if it is empty. Requests other than POST count as idempotent.

    `timeout_seconds` replaces the client's timeout.
    """
    body = None if json is None else body_of(json)
    is_idempotent = method.upper() != "POST" if idempotent is None else idempotent
    pairs = query(**(params or {}))
    answer = yield Request(method.upper(), path, pairs, body, is_idempotent, timeout_seconds=timeout_seconds)
    return answer.value
