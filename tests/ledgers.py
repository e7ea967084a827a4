"""What Skerry promises of all runs, checked against what is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

RUNS = (
    "SELECT r.id, r.status, r.completed_at, d.data, r.parent_run_id FROM runs r"
    " LEFT JOIN run_results d ON d.run_id = r.id"
)
ATTEMPTS = "SELECT run_id, number, status, runner_id, ready_at, check_at FROM attempts"


@dataclass
class Ledger:
    """What was promised so far: runs that were accepted, and how those that ended did."""

    accepted: set[str] = field(default_factory=set)
    ended: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def check(self, runs: Iterable[Sequence[Any]], attempts: Iterable[Sequence[Any]]) -> None:
        """Assert the invariants over the rows of `RUNS` and `ATTEMPTS`, read in one snapshot."""
        stored = {row[0]: tuple(row[1:]) for row in runs}
        lost = self.accepted - stored.keys()
        assert not lost, f"accepted, but not stored: {lost}"
        for run_id, (status, completed_at, result, parent) in stored.items():
            over = status in ("succeeded", "failed", "canceled")
            assert over == (completed_at is not None), f"{run_id} is {status} but completed_at is {completed_at}"
            if run_id in self.ended:
                assert self.ended[run_id] == (status, completed_at, result), f"{run_id} changed after its end"
            if over:
                self.ended[run_id] = (status, completed_at, result)
            if parent is not None and not over:
                assert stored[parent][1] is None, f"{run_id} lives below {parent}, which is over"
        self._check_attempts(stored, attempts)

    def _check_attempts(self, runs: Mapping[str, tuple[Any, ...]], attempts: Iterable[Sequence[Any]]) -> None:
        live: dict[str, int] = dict.fromkeys(runs, 0)
        for run_id, number, status, runner_id, ready_at, check_at in attempts:
            if status not in ("queued", "starting", "running"):
                continue
            live[run_id] += 1
            assert ready_at is not None
            assert (status == "queued") == (runner_id is None), f"{run_id} attempt {number} is {status} at {runner_id}"
            assert status == "queued" or check_at is not None, f"nothing will ever look at {run_id} attempt {number}"
        for run_id, count in live.items():
            expected = 0 if run_id in self.ended else 1
            assert count == expected, f"{run_id} is {runs[run_id][0]} with {count} live attempts"
