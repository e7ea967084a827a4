"""What a container of one run tells Kubernetes with its end: an exit status, and a line that names the reason.

The line is never the user's: messages of exceptions and output may hold what has no place in objects of the cluster.
https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
"""

from __future__ import annotations

from pathlib import Path

from skerry_runner.events import log
from skerry_runner.outcomes import Outcome

# Where the kubelet looks unless the Pod says otherwise.
TERMINATION_LOG = Path("/dev/termination-log")


def last_words(outcome: Outcome) -> str | None:
    """`<reason>: <why>` of an attempt that did not succeed; None of one that did."""
    if outcome.reason is None:
        return None
    error = outcome.error
    if error is None:
        return f"{outcome.reason}:"
    why = f"the task raised {error['type']}" if outcome.reason == "error" else error["message"]
    return f"{outcome.reason}: {why}"


def say_farewell(words: str, place: Path = TERMINATION_LOG) -> None:
    """Leave the line where the kubelet finds it; a place that cannot be written is only logged."""
    try:
        place.write_text(words)
    except OSError as error:
        log.warning("farewell_unwritten", place=str(place), error=str(error))
