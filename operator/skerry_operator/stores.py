"""What the API server showed last: TaskRuns, RunnerPools and Pods in memory, and which keys a change concerns.

A version that is older than what is known is ignored, so lists, watches and answers to our own writes may come in any order.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

import structlog
from pydantic import ValidationError

from skerry_objects import names
from skerry_objects.runner_pools import RunnerPool
from skerry_objects.task_runs import TaskRun
from skerry_operator.pods import Pod, read_pod

log = structlog.get_logger(__name__)

# For how long it is remembered that an object is gone, and how it looked last.
DEPARTED_SECONDS: Final = 600.0
REMOVED_SECONDS: Final = 60.0
# Pods come and go in bursts, and every one changes its pool's counts: one look at once, and then one for many.
POOL_SPACING: Final = 1.0


class Kind(StrEnum):
    """The kinds that are followed."""

    TASK_RUN = "TaskRun"
    RUNNER_POOL = "RunnerPool"
    POD = "Pod"


class Key(NamedTuple):
    """What is reconciled: a TaskRun or a RunnerPool."""

    kind: Kind
    name: str


class Touch(NamedTuple):
    """A key to look at.

    Attributes:
        spacing: how many seconds at least are to pass between two looks at it.
        is_new: whether nobody has looked at it before.
    """

    key: Key
    spacing: float = 0.0
    is_new: bool = False


Touched = list[Touch]
Stored = TaskRun | RunnerPool | Pod


class Store:
    """The objects of one namespace."""

    def __init__(self) -> None:
        """Begin empty."""
        self._objects: dict[Kind, dict[str, Stored]] = {kind: {} for kind in Kind}
        self._versions: dict[tuple[Kind, str], int] = {}
        # Of Pods also how they looked last.
        self._departed: dict[str, tuple[float, Pod | None]] = {}
        self._departed_pods: dict[str, Pod] = {}
        self._removed: dict[str, float] = {}
        self._pods_of: dict[str, dict[str, Pod]] = defaultdict(dict)
        self._pool_pods: dict[str, dict[str, Pod]] = defaultdict(dict)
        self._pools_by_label: dict[str, str] = {}
        self._claims: dict[str, str] = {}

    def task_run(self, name: str) -> TaskRun | None:
        """The TaskRun of this name."""
        found = self._objects[Kind.TASK_RUN].get(name)
        return found if isinstance(found, TaskRun) else None

    def pool(self, name: str) -> RunnerPool | None:
        """The RunnerPool of this name."""
        found = self._objects[Kind.RUNNER_POOL].get(name)
        return found if isinstance(found, RunnerPool) else None

    def pod(self, name: str) -> Pod | None:
        """The Pod of this name."""
        found = self._objects[Kind.POD].get(name)
        return found if isinstance(found, Pod) else None

    def departed_pod(self, name: str) -> Pod | None:
        """The Pod that had this name, as it was seen last."""
        return self._departed_pods.get(name)

    def pods_of(self, uid: str) -> list[Pod]:
        """The Pods that this owner controls."""
        return list(self._pods_of.get(uid, {}).values())

    def pods_of_pool(self, name: str) -> list[Pod]:
        """The Pods made from this pool's template, whoever owns them now."""
        return list(self._pool_pods.get(names.label_value(name), {}).values())

    def claimed(self) -> Collection[str]:
        """The names of Pods that a TaskRun names as its own, at every moment."""
        return self._claims.keys()

    def version(self, kind: Kind, name: str) -> int:
        """The newest known version of an object; 0 if there is none."""
        return self._versions.get((kind, name), 0)

    def known(self) -> Iterator[Key]:
        """Everything that is reconciled."""
        for kind in (Kind.RUNNER_POOL, Kind.TASK_RUN):
            yield from (Key(kind, name) for name in self._objects[kind])

    def counts(self) -> dict[Kind, int]:
        """How many objects there are of each kind."""
        return {kind: len(objects) for kind, objects in self._objects.items()}

    def put(self, kind: Kind, item: Mapping[str, Any]) -> Touched:
        """Take an object as it is now; returns the keys it concerns if that is news."""
        metadata = item["metadata"]
        name, uid, version = metadata["name"], metadata["uid"], int(metadata["resourceVersion"])
        if uid in self._departed or self._versions.get((kind, name), 0) >= version:
            return []
        stored = _read(kind, item)
        if stored is None:
            return []
        before = self._objects[kind].get(name)
        if before is not None:
            self._unindex(kind, name, before)
        self._objects[kind][name] = stored
        self._versions[kind, name] = version
        self._index(name, stored)
        return [*self._touched(name, before, stored)]

    def remove(self, kind: Kind, name: str, uid: str, last: Mapping[str, Any] | None = None) -> Touched:
        """Take note that an object is gone; `last` is how it looked in the end, where that was shown."""
        shown = _read(kind, last) if last is not None else None
        before = self._objects[kind].get(name)
        if before is not None and _uid(before) != uid:
            return []  # That was another of the same name.
        final = shown or before
        if final is None or uid in self._departed:
            return []
        pod = final if isinstance(final, Pod) else None
        self._departed[uid] = (time.monotonic(), pod)
        if pod is not None:
            self._departed_pods[name] = pod
        self._objects[kind].pop(name, None)
        self._versions.pop((kind, name), None)
        self._unindex(kind, name, before or final)
        return [*self._touched(name, before, final)]

    def retain(self, kind: Kind, listed: Collection[str], version: int) -> Touched:
        """Of a whole list, which was complete at `version`, take the names: what is not among them and is older, is gone."""
        touched: Touched = []
        for name in [name for name in self._objects[kind] if name not in listed]:
            if self._versions[kind, name] <= version:
                touched += self.remove(kind, name, _uid(self._objects[kind][name]))
        return touched

    def was_removed(self, uid: str) -> bool:
        """Whether we asked for its end a moment ago, and its event may be on the way."""
        return time.monotonic() - self._removed.get(uid, -REMOVED_SECONDS) < REMOVED_SECONDS

    def note_removal(self, uid: str) -> None:
        """Take note that we asked for its end."""
        self._removed[uid] = time.monotonic()

    def forget(self) -> None:
        """Drop what is remembered of objects that are long gone."""
        self._removed = {uid: moment for uid, moment in self._removed.items() if self.was_removed(uid)}
        before = time.monotonic() - DEPARTED_SECONDS
        for uid in [uid for uid, (moment, _) in self._departed.items() if moment < before]:
            _, last = self._departed.pop(uid)
            if last is not None and self._departed_pods.get(last.name) is last:
                del self._departed_pods[last.name]

    def _index(self, name: str, stored: Stored) -> None:
        if isinstance(stored, Pod):
            if stored.owner is not None:
                self._pods_of[stored.owner.uid][name] = stored
            if names.POOL in stored.labels:
                self._pool_pods[stored.labels[names.POOL]][name] = stored
        elif isinstance(stored, RunnerPool):
            self._pools_by_label[names.label_value(name)] = name
        elif stored.spec.pod_name is not None:
            self._claims[stored.spec.pod_name] = name

    def _unindex(self, kind: Kind, name: str, stored: Stored) -> None:
        if isinstance(stored, Pod):
            for index, entry in (
                (self._pods_of, stored.owner.uid if stored.owner else ""),
                (self._pool_pods, stored.labels.get(names.POOL, "")),
            ):
                index[entry].pop(name, None)
                if not index[entry]:
                    del index[entry]
        elif isinstance(stored, TaskRun) and self._claims.get(stored.spec.pod_name or "") == name:
            del self._claims[stored.spec.pod_name or ""]

    def _touched(self, name: str, before: Stored | None, after: Stored) -> Iterator[Touch]:
        if isinstance(after, TaskRun):
            yield Touch(Key(Kind.TASK_RUN, name), is_new=before is None)
            if after.spec.pod_name is not None:
                yield Touch(Key(Kind.RUNNER_POOL, after.spec.pool_ref), POOL_SPACING)
        elif isinstance(after, RunnerPool):
            yield Touch(Key(Kind.RUNNER_POOL, name))
            if before is None:
                yield from (Touch(Key(Kind.TASK_RUN, run)) for run in self._runs_of(name))
        else:
            if after.owner is not None and after.owner.kind == Kind.TASK_RUN:
                yield Touch(Key(Kind.TASK_RUN, after.owner.name))
            if name in self._claims:
                yield Touch(Key(Kind.TASK_RUN, self._claims[name]))
            pool = self._pools_by_label.get(after.labels.get(names.POOL, ""))
            if pool is not None:
                yield Touch(Key(Kind.RUNNER_POOL, pool), POOL_SPACING)

    def _runs_of(self, pool: str) -> list[str]:
        runs = self._objects[Kind.TASK_RUN].values()
        return [run.metadata.name for run in runs if isinstance(run, TaskRun) and run.spec.pool_ref == pool]


def _read(kind: Kind, item: Mapping[str, Any]) -> Stored | None:
    try:
        match kind:
            case Kind.TASK_RUN:
                return TaskRun.model_validate(item)
            case Kind.RUNNER_POOL:
                return RunnerPool.model_validate(item)
            case Kind.POD:
                return read_pod(item)
    except (ValidationError, KeyError, ValueError) as error:
        # Somebody wrote it past the schema: nothing can be done with it, and the others must not suffer.
        log.warning("object_malformed", kind=kind, name=item["metadata"]["name"], error=str(error))
        return None


def _uid(stored: Stored) -> str:
    return stored.uid if isinstance(stored, Pod) else stored.metadata.uid or ""
