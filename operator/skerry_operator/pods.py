"""Pods as the operator looks at them: the few parts that decide something, so that thousands fit into memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from skerry_objects import names
from skerry_operator.sizes import ungrown

ENDED_PHASES: Final = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True, slots=True)
class Owner:
    """The controller that a Pod belongs to."""

    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class PodCondition:
    """One condition of a Pod, such as PodScheduled."""

    type: str
    status: str
    reason: str
    message: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a container does not run yet."""

    container: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Ended:
    """How a container ended."""

    exit_code: int
    reason: str
    message: str
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Pod:
    """A Pod at one moment.

    Attributes:
        version: its resourceVersion; grows with every change.
        deletion_at: when its time to end by itself is over, if somebody deleted it.
        started_at: since when the runner's container runs or ran.
        runner_ended: how that container ended.
        all_ended: whether nothing of it runs any more, or ever will.
        ungrown: what it is still to request once it has a run; empty unless it waited small.
    """

    name: str
    uid: str
    version: int
    labels: Mapping[str, str]
    owner: Owner | None
    created_at: datetime
    deletion_at: datetime | None
    phase: str
    reason: str
    message: str
    node: str | None
    conditions: Sequence[PodCondition]
    waiting: Sequence[Waiting]
    started_at: datetime | None
    runner_ended: Ended | None
    all_ended: bool
    ungrown: Mapping[str, str]

    def condition(self, kind: str) -> PodCondition | None:
        """The condition of this type."""
        for entry in self.conditions:
            if entry.type == kind:
                return entry
        return None

    @property
    def is_leaving(self) -> bool:
        """Whether it ended, or somebody asked it to."""
        return self.all_ended or self.deletion_at is not None


def read_pod(item: Mapping[str, Any]) -> Pod:
    """A Pod from the API server's JSON."""
    metadata, status = item["metadata"], item.get("status") or {}
    containers = status.get("containerStatuses") or []
    runner = next((entry for entry in containers if entry["name"] == names.CONTAINER), None)
    state = (runner or {}).get("state") or {}
    phase = status.get("phase") or "Pending"
    ended = _ended(state["terminated"]) if "terminated" in state else None
    return Pod(
        name=metadata["name"],
        uid=metadata["uid"],
        version=int(metadata["resourceVersion"]),
        labels=metadata.get("labels") or {},
        owner=_owner(metadata),
        created_at=read_time(metadata["creationTimestamp"]),
        deletion_at=_optional_time(metadata, "deletionTimestamp"),
        phase=phase,
        reason=status.get("reason") or "",
        message=status.get("message") or "",
        node=item["spec"].get("nodeName"),
        conditions=tuple(_condition(entry) for entry in status.get("conditions") or ()),
        waiting=tuple(_waiting([*(status.get("initContainerStatuses") or ()), *containers])),
        started_at=_optional_time(state.get("running") or {}, "startedAt") or (ended.started_at if ended else None),
        runner_ended=ended,
        all_ended=phase in ENDED_PHASES
        or (bool(containers) and all("terminated" in (entry.get("state") or {}) for entry in containers)),
        ungrown=ungrown(metadata.get("annotations") or {}, item["spec"].get("containers") or ()),
    )


# Thousands of Pods change within the same seconds: one value for all of them.
@lru_cache(maxsize=1024)
def read_time(text: str) -> datetime:
    """A time as Kubernetes writes it."""
    return datetime.fromisoformat(text).astimezone(UTC)


def _optional_time(fields: Mapping[str, Any], name: str) -> datetime | None:
    text = fields.get(name)
    return read_time(text) if text else None


def _owner(metadata: Mapping[str, Any]) -> Owner | None:
    references = metadata.get("ownerReferences") or ()
    found = next((entry for entry in references if entry.get("controller")), None)
    return Owner(found["kind"], found["name"], found["uid"]) if found else None


def _condition(entry: Mapping[str, Any]) -> PodCondition:
    words = entry.get("reason") or "", entry.get("message") or ""
    return _shared_condition(entry["type"], entry["status"], *words, _optional_time(entry, "lastTransitionTime"))


@lru_cache(maxsize=1024)
def _shared_condition(kind: str, status: str, reason: str, message: str, since: datetime | None) -> PodCondition:
    return PodCondition(kind, status, reason, message, since)


def _waiting(statuses: Sequence[Mapping[str, Any]]) -> list[Waiting]:
    states = [(entry["name"], (entry.get("state") or {}).get("waiting")) for entry in statuses]
    return [Waiting(name, state.get("reason") or "", state.get("message") or "") for name, state in states if state]


def _ended(state: Mapping[str, Any]) -> Ended:
    return Ended(
        state.get("exitCode", -1),
        state.get("reason") or "",
        (state.get("message") or "").strip(),
        _optional_time(state, "startedAt"),
        _optional_time(state, "finishedAt"),
    )
