"""Times and durations as people read them. Pure: the current time is passed in."""

from datetime import UTC, datetime


def parsed(timestamp: str | None) -> datetime | None:
    """Return an RFC 3339 timestamp as an aware datetime, or None for none."""
    if not timestamp:
        return None
    moment = datetime.fromisoformat(timestamp)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_SCALES = ((60, "min", 60, "s", 1), (48, "h", 60, "min", 60), (float("inf"), "d", 24, "h", 3600))
"""For durations from a minute on: below how many of a unit it is used, its parts, and how many seconds a part has."""


def human(seconds: float) -> str:
    """Return a duration in its one or two most telling units, such as `85 ms`, `3.2 s`, `4 min 10 s` or `2 h`."""
    if seconds < 0.9995:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    for limit, unit, parts, part_unit, part_seconds in _SCALES:
        whole, rest = divmod(round(seconds / part_seconds), parts)
        text = f"{whole} {unit} {rest} {part_unit}" if rest else f"{whole} {unit}"
        if whole < limit:
            break
    return text


def between(start: str | None, end: str | None, now: datetime) -> str:
    """Return how long something took, or has taken until now; empty if it has not started."""
    began = parsed(start)
    if began is None:
        return ""
    return human(((parsed(end) or now) - began).total_seconds())


def ago(timestamp: str | None, now: datetime) -> str:
    """Return how long ago something was, such as `3 min ago`; empty for no timestamp."""
    moment = parsed(timestamp)
    if moment is None:
        return ""
    seconds = max((now - moment).total_seconds(), 0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def local_clock(timestamp: str | None) -> str:
    """Return the local time of day to the millisecond, such as `14:03:09.120`; empty for no timestamp."""
    moment = parsed(timestamp)
    return "" if moment is None else moment.astimezone().strftime("%H:%M:%S.%f")[:-3]


def memory(size: int) -> str:
    """Return a number of bytes in binary units, such as `512 MiB`."""
    for factor, unit in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size} B"
