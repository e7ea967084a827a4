"""What a decision can ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from skerry_objects.task_runs import TaskRunStatus
from skerry_operator.pods import Pod


@dataclass(frozen=True, slots=True)
class CreatePod:
    """Make the Pod of the present attempt."""

    name: str


@dataclass(frozen=True, slots=True)
class AdoptPod:
    """Make a warm Pod the Pod of the present attempt."""

    pod: Pod


@dataclass(frozen=True, slots=True)
class ResizePod:
    """Have a Pod that waited small request what its run is to have."""

    pod: Pod


@dataclass(frozen=True, slots=True)
class DeletePod:
    """Remove a Pod, this one and no other of its name.

    Attributes:
        version: the resourceVersion it must still have; None removes it whatever became of it since.
    """

    name: str
    uid: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class CreateIdlePods:
    """Make Pods that wait for work.

    Attributes:
        small: whether they may wait with smaller requests than their run is to have.
    """

    count: int
    small: bool = False


@dataclass(frozen=True, slots=True)
class WriteStatus:
    """Record what is known of a TaskRun."""

    status: TaskRunStatus


@dataclass(frozen=True, slots=True)
class DeleteTaskRun:
    """Remove a TaskRun whose time is over, and its Pods with it."""


@dataclass(frozen=True, slots=True)
class Announce:
    """Say it as a Kubernetes Event on the TaskRun."""

    kind: Literal["Normal", "Warning"]
    reason: str
    message: str


Action = CreatePod | AdoptPod | ResizePod | DeletePod | CreateIdlePods | WriteStatus | DeleteTaskRun | Announce


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, in this order, and after how many seconds to look again even if nothing is heard."""

    actions: tuple[Action, ...] = ()
    look_again: float | None = None
