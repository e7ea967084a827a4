"""Whether the server lives and can work."""

from __future__ import annotations

from typing import Literal

from skerry_api.http.schemas.shapes import Shape


class Health(Shape):
    """The server answers."""

    status: Literal["ok"]
