"""What all models share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from skerry.retries import Retry

Json = Mapping[str, Any]


def moment(text: str | None) -> datetime | None:
    """A timestamp of the API, None if it has not happened."""
    return datetime.fromisoformat(text) if text else None


def retry_settings(fields: Json | None) -> Retry | None:
    """Retry settings in the API's spelling, None if there are none."""
    if not fields:
        return None
    return Retry(fields["maxRetries"], fields["waitDurationMs"], max(1.0, fields.get("factor") or 1.5))


@dataclass(frozen=True, slots=True)
class Model:
    """Something the server told; `raw` is its JSON as it came."""

    raw: Json = field(repr=False, compare=False)
