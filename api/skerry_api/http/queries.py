"""Query parameters that several lists share."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from fastapi.exceptions import RequestValidationError
from pydantic import Field

from skerry_api.http.schemas.shapes import STORABLE

Limit = Annotated[int, Query(ge=1, le=1000, description="The most elements to answer.")]
Cursor = Annotated[
    str | None,
    Query(pattern=r"^[a-z]{3}-[0-9a-v]{20}$", description="The `cursor` of the last element of the page before."),
]

LogCursor = Annotated[
    str | None, Query(pattern=r"^[0-9]{1,18}$", description="The `cursor` of the page before, or a line's `id`.")
]
Name = Annotated[str, Field(min_length=1, max_length=255), *STORABLE]


# Bounded, so that an address never comes near the 64 KiB that servers and proxies take.
_Item = Annotated[str, Field(max_length=255), *STORABLE]
Several = Annotated[list[_Item] | None, Query(max_length=100, description="May be repeated: any of them.")]
Ignored = Annotated[
    list[_Item] | None, Query(alias="ownerId", description="Accepted for Render's clients; there is one owner here.")
]

DEFAULT_LIMIT = 20


def wrong_value(name: str, problem: str, place: str = "query") -> RequestValidationError:
    """A 422 for one parameter or field that a schema cannot describe."""
    return RequestValidationError([{"type": "value_error", "loc": (place, name), "msg": problem, "input": None}])
