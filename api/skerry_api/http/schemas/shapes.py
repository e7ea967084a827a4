"""The conventions every schema shares: camelCase on the wire, text that Postgres can store, times with their offset."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

MAX_METADATA_BYTES = 16 * 1024
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 1, 1, tzinfo=UTC)

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)\Z")


class Shape(BaseModel):
    """A JSON object whose keys are the fields' names in camelCase; keys it does not know are ignored."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", allow_inf_nan=False)


def check_storable(value: str) -> str:
    """`value` if Postgres can store it.

    Raises:
        ValueError: it holds a NUL character.
    """
    if "\x00" in value:
        raise ValueError("must not contain the NUL character (\\u0000)")
    return value


def check_number(value: Any) -> Any:
    """`value` unless it is a text or a truth value, which JSON keeps apart from numbers.

    Raises:
        ValueError: it is no number.
    """
    if isinstance(value, str | bool):
        raise ValueError("must be a number")
    return value


def check_moment(value: Any) -> Any:
    """`value` if it is a moment in RFC 3339.

    Raises:
        ValueError: it is something else, such as a number of seconds or a time without an offset.
    """
    if not isinstance(value, str) or not _RFC3339.match(value):
        raise ValueError("must be a time with its offset from UTC, such as 2026-11-22T21:04:05Z")
    return value


def in_range(value: datetime) -> datetime:
    """The same moment in UTC, or the nearest that can be reckoned with: before 1970 and after 9998 there is nothing."""
    try:
        return min(max(value.astimezone(UTC), EARLIEST), LATEST)
    except OverflowError:
        return EARLIEST if value.year < EARLIEST.year else LATEST


def check_metadata(value: dict[str, Any]) -> dict[str, Any]:
    """`value` if it can be stored as `jsonb` and is small.

    Raises:
        ValueError: it holds NUL, half a surrogate pair, NaN, an integer beyond 64 bits, or is larger than 16 KiB.
    """
    try:
        json.dumps(value, allow_nan=False)
        data = orjson.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"must be plain JSON, with integers of at most 64 bits: {error}") from error
    # An escaped backslash in front of `u0000` would be told apart by decoding only; nobody needs that text here.
    if b"\\u0000" in data:
        raise ValueError("must not contain the NUL character (\\u0000)")
    if len(data) > MAX_METADATA_BYTES:
        raise ValueError(f"has {len(data):,} bytes of JSON; at most {MAX_METADATA_BYTES:,} are allowed")
    return value


STORABLE = (AfterValidator(check_storable), Field(json_schema_extra={"pattern": r"^[^\u0000]*$"}))
Text = Annotated[str, *STORABLE]
Name = Annotated[str, Field(min_length=1, max_length=255), *STORABLE]
# To be the last annotation of an int or a float: what comes after it would be missing from the schema.
NUMBER = BeforeValidator(check_number)
Time = Annotated[datetime, Field(examples=["2026-11-22T21:04:05.678Z"])]
Moment = Annotated[
    AwareDatetime,
    BeforeValidator(check_moment),
    AfterValidator(in_range),
    Field(examples=["2026-11-22T21:04:05.678Z"]),
]
Metadata = Annotated[dict[str, Any], AfterValidator(check_metadata)]
Cursor = Annotated[str, Field(description="Give it back as `?cursor=` to continue after this element.")]
