"""Takes the systems in turn, several times over, each alone on the machine while it is measured.

A machine's speed drifts over minutes, so one system's measurements are spread over rounds instead of taken in one
go; and as nothing but the system measured is running, no peer's background work is in another's figures.
"""

import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from benchmarks.processes import BenchmarkError
from benchmarks.stages import Stage
from benchmarks.systems.definitions import Running, System


@dataclass
class Record:
    """What was measured of one system.

    Attributes:
        system: Which.
        answers: Answers of its driver, in order, by measurement.
        problem: Why something is missing, in a sentence; None if nothing is.
    """

    system: System
    answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    problem: str | None = None

    def add(self, measurement: str, answer: dict[str, Any]) -> None:
        """Keep one answer."""
        self.answers.setdefault(measurement, []).append(answer)

    def timings(self, measurement: str, name: str) -> list[float]:
        """All timings of one kind, over all rounds, in seconds."""
        return [timing for answer in self.answers.get(measurement, ()) for timing in answer[name]]

    def as_json(self) -> dict[str, Any]:
        """What identifies the row."""
        system = self.system
        return {
            "system": system.name,
            "peer": system.peer,
            "isolation": system.isolation,
            "kept": system.kept,
            "problem": self.problem,
        }


def measured(systems: Sequence[System], rounds: int, measure: Callable[[Running, Record], None]) -> list[Record]:
    """Start, measure and stop every system once a round; one that failed is not started again.

    Args:
        systems: In the order of the table.
        rounds: How often.
        measure: Adds answers to the record; what it added before a `BenchmarkError` stays.
    """
    records = [Record(system) for system in systems]
    for place in range(1, rounds + 1):
        for record in records:
            if record.problem is None:
                print(f"round {place} of {rounds}: {record.system.name}", file=sys.stderr, flush=True)
                _measure_once(record, measure)
    return records


def _measure_once(record: Record, measure: Callable[[Running, Record], None]) -> None:
    try:
        with Stage() as stage:
            measure(record.system.start(stage), record)
    except BenchmarkError as problem:
        record.problem = str(problem)
        print(problem.detail or problem, file=sys.stderr, flush=True)
    except Exception as problem:
        record.problem = f"{type(problem).__name__}: {problem}"
        traceback.print_exception(problem)


@contextmanager
def stoppable() -> Iterator[None]:
    """Turn a termination signal into an exit that stops everything started."""

    def leave(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
