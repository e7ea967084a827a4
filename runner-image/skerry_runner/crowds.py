"""Runs that begin together on one node: what begins goes before what ends."""

from __future__ import annotations

import os

CORES = os.cpu_count() or 1
# Processor time for each run until it has begun, and as much for others that may be on their way from another replica or a
# request later: 50 at once, with all that surrounds them, kept two cores busy for 35 to 50 ms (`perf sched`, tests/cluster).
_START_SECONDS = 0.004
# A result is never held up for longer than this. Last words of a dead process are waited for longer (`slots.py`).
_LONGEST_SECONDS = 0.04


def unheard_seconds(company: int, cores: int = CORES) -> float:
    """How long a runner leaves its process unheard, so that all of `company` runs can begin on a node with `cores`.

    A run that is over at once takes as long to end as to begin, and would be in the way of those that are not there yet.
    """
    if company <= cores:
        return 0.0
    return min(_LONGEST_SECONDS, company * _START_SECONDS / cores)
