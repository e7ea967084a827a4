"""What was written when and by whom, from the API server's own log: exact, and nobody has to watch for it."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from benchmarks.operator import credentials

# Events are for people, and Leases tell that somebody lives: neither brings anything further.
NOT_WORK = frozenset({"events", "leases"})


@dataclass(frozen=True, slots=True)
class Write:
    """One request that asked for a change.

    Attributes:
        resource: With its subresource: `pods/status`.
        name: Empty where the API server chose it.
        ended: When the answer was complete, seconds since the epoch.
        owner: The controller of what was created, where the log has its body; else empty.
    """

    user: str
    verb: str
    resource: str
    name: str
    accepted: bool
    ended: float
    owner: str = ""


class Trail:
    """Reads the log on from where it ends now."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._offset = log.stat().st_size if log.exists() else 0
        self._rest = b""

    def read(self) -> list[Write]:
        """What has been written since the last time."""
        with self._log.open("rb") as log:
            log.seek(self._offset)
            text = log.read()
        self._offset += len(text)
        *lines, self._rest = (self._rest + text).split(b"\n")
        return [_write(orjson.loads(line)) for line in lines]


@dataclass(frozen=True, slots=True)
class Step:
    """When objects came to a point, seconds from the beginning.

    Attributes:
        half: When half of them had.
        last: When all had.
    """

    count: int
    half: float
    last: float


def steps(writes: Iterable[Write], resource: str, began: float, run_seconds: float) -> dict[str, Step]:
    """The way of all objects together, from the request for them to their recorded end.

    Args:
        writes: Of one load.
        resource: `taskruns` or `jobs`.
        began: When the load began, seconds since the epoch.
        run_seconds: How long Pods run; infinite if they run on.
    """
    told: dict[str, list[float]] = {name: [] for name in ("object", "Pod", "node")}
    status: dict[str, list[float]] = {}
    pods: dict[str, list[float]] = {}
    for write in sorted((write for write in writes if write.accepted), key=lambda write: write.ended):
        match write.verb, write.resource:
            case "create", created if created == resource:
                told["object"].append(write.ended)
            case "create", "pods":
                told["Pod"].append(write.ended)
            case "create", "pods/binding":
                told["node"].append(write.ended)
            case _, changed if changed == f"{resource}/status":
                status.setdefault(write.name, []).append(write.ended)
            case _, "pods/status" if write.user == credentials.KWOK:
                pods.setdefault(write.name, []).append(write.ended)
    told["Pod runs"] = [moments[0] for moments in pods.values()]
    # KWOK may say either twice.
    ends = (next((each for each in moments if each >= moments[0] + run_seconds), None) for moments in pods.values())
    told["Pod ended"] = [moment for moment in ends if moment is not None]
    told["end recorded"] = [moments[-1] for moments in status.values()]
    return {
        name: Step(len(moments), statistics.median(moments) - began, max(moments) - began)
        for name, moments in told.items()
        if moments
    }


def counts(writes: Iterable[Write]) -> dict[str, int]:
    """How many there are of each kind, such as `create pods`, the most frequent first; refused ones included."""
    return dict(Counter(f"{write.verb} {write.resource}" for write in writes).most_common())


def total(counted: Mapping[str, int], apart: Collection[str] = NOT_WORK) -> int:
    """How many there are in all, those of some resources apart."""
    return sum(count for what, count in counted.items() if what.split()[1] not in apart)


def _write(event: dict[str, Any]) -> Write:
    of = event["objectRef"]
    resource = f"{of['resource']}/{of['subresource']}" if of.get("subresource") else of["resource"]
    return Write(
        user=event["user"]["username"],
        verb=event["verb"],
        resource=resource,
        name=of.get("name", ""),
        accepted=event.get("responseStatus", {}).get("code", 500) < 300,
        ended=datetime.fromisoformat(event["stageTimestamp"]).timestamp(),
        owner=_owner(event.get("requestObject") or {}),
    )


def _owner(body: dict[str, Any]) -> str:
    references = body.get("metadata", {}).get("ownerReferences") or ()
    return next((each["name"] for each in references if each.get("controller")), "")
