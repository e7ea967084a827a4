"""How the registration of a version stands, from what is said of the RunnerPool that has its first runner. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from skerry_objects.models import Condition
from skerry_objects.runner_pools import RunnerPool

# From the RunnerPool to the tasks: an image to pull, a node to find, an application to import.
REGISTER_SECONDS = 300.0
# What the operator says of a Pod that is on its way, or whose problem may still pass.
_STARTING = "Starting"
# What a RunnerPool's Ready condition says when waiting longer will not help.
_HOPELESS = frozenset(
    {
        "ImagePull",
        "CreateContainerError",
        "CreateContainerConfigError",
        "AdmissionRefused",
        "QuotaExceeded",
        "Unschedulable",
        "NoRoom",
    }
)


@dataclass(frozen=True, slots=True)
class Registering:
    """It goes on as expected."""

    reason: str = "Registering"
    message: str = "a runner of the new version reports its tasks"


@dataclass(frozen=True, slots=True)
class HeldUp:
    """Something holds it up that may pass."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Failed:
    """There will be no tasks."""

    reason: str
    message: str


Standing = Registering | HeldUp | Failed


def judge(pool: RunnerPool | None, seconds: float) -> Standing:
    """How a registration stands after `seconds`."""
    ready, waiting = _condition(pool, "Ready"), _condition(pool, "Waiting")
    problem = ready if ready is not None and ready.status == "False" and ready.reason != _STARTING else None
    if problem is not None and problem.reason in _HOPELESS:
        return Failed(problem.reason, problem.message or problem.reason)
    if waiting is not None and waiting.status == "True":
        problem = waiting
    if seconds > REGISTER_SECONDS:
        words = f"no tasks were registered within {REGISTER_SECONDS:g} s"
        return Failed("RegistrationTimeout", f"{words}: {problem.message}" if problem is not None else words)
    if problem is None:
        return Registering()
    return HeldUp(problem.reason, problem.message or problem.reason)


def _condition(pool: RunnerPool | None, kind: str) -> Condition | None:
    """What the operator says of the pool as it is wanted now; nothing of a try before."""
    if pool is None or pool.status.observed_generation != pool.metadata.generation:
        return None
    return next((entry for entry in pool.status.conditions if entry.type == kind), None)
