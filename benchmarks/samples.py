"""Summaries of timings."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass

MILLISECONDS = 1000.0


@dataclass(frozen=True)
class Summary:
    """What a set of timings comes to, in milliseconds.

    Attributes:
        count: How many timings.
        p50: Median.
        p99: 99th percentile, the nearest timing at or above it; with fewer than 100 timings, the slowest.
        least: The fastest.
        most: The slowest.
    """

    count: int
    p50: float
    p99: float
    least: float
    most: float

    def json(self) -> dict[str, float]:
        """Plain figures, rounded to a microsecond."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


def summary(seconds: Sequence[float]) -> Summary | None:
    """Summarise timings given in seconds; None if there are none."""
    if not seconds:
        return None
    ordered = sorted(value * MILLISECONDS for value in seconds)
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return Summary(len(ordered), statistics.median(ordered), p99, ordered[0], ordered[-1])
