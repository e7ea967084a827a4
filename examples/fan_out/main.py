"""Fan-out: count the primes below 200,000 in 200 slices, every slice a run of its own."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

from skerry import Retry, Workflows

app = Workflows(default_plan="starter", default_retry=Retry(max_retries=2, wait_duration_ms=200))


@dataclass(frozen=True)
class Slice:
    """The numbers from `start` up to, not including, `stop`."""

    start: int
    stop: int


@dataclass(frozen=True)
class Count:
    primes: int
    largest: int | None


@dataclass(frozen=True)
class Summary:
    slices: int
    primes: int
    largest: int | None


@app.task(timeout_seconds=600)
async def primes_below(limit: int = 200_000, slices: int = 200) -> Summary:
    """Share the work among many runs, wait for all of them, and sum up."""
    width = -(-limit // slices)
    parts = [Slice(start, min(start + width, limit)) for start in range(0, limit, width)]
    print(f"counting primes below {limit} in {len(parts)} slices")
    counts = await count_primes.map(parts)
    found = [count.largest for count in counts if count.largest is not None]
    return Summary(len(parts), sum(count.primes for count in counts), max(found, default=None))


@app.task(timeout_seconds=60)
async def count_primes(numbers: Slice) -> Count:
    """Count the primes of one slice by trial division."""
    primes = [number for number in range(numbers.start, numbers.stop) if is_prime(number)]
    return Count(len(primes), max(primes, default=None))


def is_prime(number: int) -> bool:
    """Whether a number has exactly two divisors."""
    return number > 1 and all(number % divisor for divisor in range(2, isqrt(number) + 1))
