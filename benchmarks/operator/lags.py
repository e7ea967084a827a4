"""How long single objects waited, from the audit log: for a Pod of their own, and until their status says that it runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from benchmarks.operator import credentials
from benchmarks.operator.audits import Write
from benchmarks.samples import Summary, summary


@dataclass(slots=True)
class Way:
    """When one TaskRun or Job came how far, seconds since the epoch.

    Attributes:
        created: When the request for it was answered.
        pod: When a Pod was its own: adopted, or made for it.
        said: When its status was written last.
    """

    created: float
    pod: float | None = None
    said: float | None = None


@dataclass(frozen=True)
class Lags:
    """How long all objects of a load waited.

    Attributes:
        pod: From the answer to the request for one until it had its Pod.
        said: From the same moment until its status was written last.
        last: When the last one had its Pod, seconds since the epoch.
    """

    pod: Summary | None
    said: Summary | None
    last: float | None


def ways(writes: Iterable[Write], resource: str, taken: Mapping[str, str]) -> dict[str, Way]:
    """The way of each object that was created, by its name.

    Args:
        writes: Of one load.
        resource: `taskruns` or `jobs`.
        taken: The TaskRun that names a Pod, by that Pod's name.
    """
    found: dict[str, Way] = {}
    pods: dict[str, float] = {}
    said: dict[str, float] = {}
    for write in sorted((write for write in writes if write.accepted), key=lambda write: write.ended):
        match write.verb, write.resource:
            case "create", created if created == resource:
                found[write.name] = Way(write.ended)
            case "create", "pods" if write.owner:
                pods.setdefault(write.owner, write.ended)
            case "patch", "pods" if write.user == credentials.OPERATOR and write.name in taken:
                pods.setdefault(taken[write.name], write.ended)
            case _, changed if changed == f"{resource}/status":
                said[write.name] = write.ended
    for name, way in found.items():
        way.pod, way.said = pods.get(name), said.get(name)
    return found


def lags(found: Iterable[Way]) -> Lags:
    """What the ways of many come to."""
    found = list(found)
    pods = [(way.pod, way.pod - way.created) for way in found if way.pod is not None]
    said = [way.said - way.created for way in found if way.said is not None]
    return Lags(
        summary([waited for _, waited in pods]), summary(said), max((moment for moment, _ in pods), default=None)
    )
