"""Moments as replies write them: RFC 3339 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def milliseconds(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, such as `2026-11-22T21:04:05.678Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def microseconds(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds, for bounds that must not be rounded."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
