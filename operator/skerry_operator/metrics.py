"""Prometheus metrics, and the signs of life that the probes go by."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

Metric = TypeVar("Metric", Counter, Histogram)

_BUCKETS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)


@cache
def _labelled(metric: Metric, *labels: str) -> Metric:
    """The part of a metric with these labels: looking one up takes prometheus-client longer than counting."""
    return metric.labels(*labels)


class Metrics:
    """What this process counts."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.registry = CollectorRegistry()
        self._writes = self._histogram("write", "Time of a request that changes something", ["verb", "resource"])
        self._reconciliations = self._histogram("reconciliation", "Time to bring one object further", ["kind"])
        self._ends = self._counter("attempts_ended", "Ends of attempts that were recorded", ["reason"])
        self._heard = self._counter("watch_events", "Events heard", ["kind"])
        self._missed = self._counter("watch_misses", "Resyncs that found what no event had told", [])
        self._sessions = self._counter("sessions", "Times this process became active or began again", [])
        self.active = self._gauge("active", "1 while this process holds the Lease")
        self.objects = Gauge("skerry_operator_objects", "Objects known", ["kind"], registry=self.registry)
        self.resynced = self._gauge("resynced_timestamp_seconds", "When everything was last compared")
        self._queue = self._gauge("queue_length", "Objects that wait for a worker")

    def _counter(self, name: str, text: str, labels: list[str]) -> Counter:
        return Counter(f"skerry_operator_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, labels: list[str]) -> Histogram:
        return Histogram(f"skerry_operator_{name}_seconds", text, labels, buckets=_BUCKETS, registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"skerry_operator_{name}", text, registry=self.registry)

    def wrote(self, verb: str, resource: str, seconds: float) -> None:
        """A request that changes something was answered, or given up."""
        _labelled(self._writes, verb, resource).observe(seconds)

    def reconciled(self, kind: str, seconds: float) -> None:
        """An object was brought further."""
        _labelled(self._reconciliations, kind).observe(seconds)

    def ended(self, reason: str) -> None:
        """An end was recorded."""
        self._ends.labels(reason).inc()

    def heard(self, kind: str) -> None:
        """An event came."""
        _labelled(self._heard, kind).inc()

    def missed(self) -> None:
        """A watch did not tell what a list shows."""
        self._missed.inc()

    def session_began(self) -> None:
        """This process became active, or began again."""
        self._sessions.inc()

    def watch_queue(self, length: Callable[[], float]) -> None:
        """Read the queue's length when somebody asks."""
        self._queue.set_function(length)


class Pulse:
    """When each part showed last that it still moves.

    A part has a limit of its own; one that is not expected now – a standby compares nothing – is not asked.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the time from `clock`."""
        self._clock = clock
        self._beats: dict[str, tuple[float, float]] = {}

    def beat(self, part: str, limit: float) -> None:
        """`part` moves, and will again within `limit` seconds."""
        self._beats[part] = (self._clock(), limit)

    def rest(self, part: str) -> None:
        """`part` has nothing to do."""
        self._beats.pop(part, None)

    def silent(self) -> list[str]:
        """The parts that should have moved and did not."""
        now = self._clock()
        return [part for part, (beat, limit) in self._beats.items() if now - beat >= limit]
