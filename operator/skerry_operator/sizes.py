"""How much a Pod asks the scheduler for while it waits, and how much once it has a run. Pure.

Only requests differ: the limits are those of the template from the start, so that no code is throttled or killed at a limit
that is not its plan's. https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from skerry_objects import names
from skerry_objects.pod_templates import Resources
from skerry_objects.runner_pools import IdleRequests, RunnerPool
from skerry_operator.quantities import thousandths

# What a Pod that waits small is to request once it has a run: its template may be another by then, or gone.
CLAIMED_REQUESTS: Final = f"{names.GROUP}/claimed-requests"
_RESIZED: Final = ("cpu", "memory")

Amounts = Mapping[str, str]
_NONE: Final[Amounts] = {}


@dataclass(frozen=True, slots=True)
class Growth:
    """What a Pod requests while it waits, and once it has a run."""

    idle: Amounts
    claimed: Amounts


def growth_of(pool: RunnerPool) -> Growth | None:
    """How Pods that wait in this pool can be smaller; None if they cannot."""
    # Nothing claims a Pod that takes many runs: the record knows of those, and the cluster does not.
    if pool.spec.idle_requests is None or pool.spec.isolation != "container":
        return None
    try:
        return _growth(pool.spec.template.resources, pool.spec.idle_requests)
    except ValueError:
        return None  # Such a Pod is refused, and the API server says why.


def ungrown(annotations: Amounts, containers: Sequence[Mapping[str, Any]]) -> Amounts:
    """What a Pod is to request once it has a run, as far as its spec does not request it yet."""
    text = annotations.get(CLAIMED_REQUESTS)
    runner = next((entry for entry in containers if entry["name"] == names.CONTAINER), None)
    if text is None or runner is None:
        return _NONE
    requests = (runner.get("resources") or {}).get("requests") or {}
    try:
        claimed: dict[str, str] = json.loads(text)
        return {name: size for name, size in claimed.items() if _differ(requests.get(name, "0"), size)} or _NONE
    except (ValueError, TypeError, AttributeError):
        return _NONE  # Somebody else wrote it.


def _growth(resources: Resources, wanted: IdleRequests) -> Growth | None:
    limits = _resized(resources.limits)
    # What has a limit and no request, requests the limit: the API server sees to that.
    full = limits | _resized(resources.requests)
    idle = {name: min(size, getattr(wanted, name) or size, key=thousandths) for name, size in full.items()}
    if idle == full or not any(thousandths(size) for size in [*idle.values(), *limits.values()]):
        # Without any request and limit its class would be BestEffort, and no resize may change a Pod's class.
        return None
    if _is_guaranteed(full, limits):
        # A Pod that waits small is Burstable. With requests that equal all limits it would become Guaranteed.
        return Growth(idle, full | {"cpu": f"{thousandths(limits['cpu']) - 1:f}m"})
    return Growth(idle, full)


def _resized(amounts: Amounts) -> dict[str, str]:
    return {name: amounts[name] for name in _RESIZED if name in amounts}


def _differ(one: str, other: str) -> bool:
    return one != other and thousandths(one) != thousandths(other)


def _is_guaranteed(full: Amounts, limits: Amounts) -> bool:
    pairs = [(thousandths(full[name]), thousandths(limits.get(name, "0"))) for name in full]
    return len(pairs) == len(_RESIZED) and all(limit and request == limit for request, limit in pairs)
