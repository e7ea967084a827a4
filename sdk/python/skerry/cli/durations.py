"""Times and durations as people read them. Pure: the current time is passed in."""

from datetime import UTC, datetime


def parsed(timestamp: str | None) -> datetime | None:
    """Return an RFC 3339 timestamp as an aware datetime, or None for none."""
    if not timestamp:
        return None
    moment = datetime.fromisoformat(timestamp)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def human(seconds: float) -> str:
    """Return a duration with its two most telling units, such as `85 ms`, `3.2 s` or `4 min 10 s`."""
    if seconds < 0.9995:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


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
