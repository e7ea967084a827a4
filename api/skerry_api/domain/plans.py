"""Compute plans: how much CPU and memory an attempt's container gets."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from skerry_api.domain.errors import InvalidRequest

MIB = 1024 * 1024
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Plan:
    """A size: `cpu` in cores, `memory_bytes` in bytes."""

    name: str
    cpu: float
    memory_bytes: int


DEFAULT_PLAN = "standard"

PLANS: Mapping[str, Plan] = {
    plan.name: plan
    for plan in (
        Plan("starter", 0.5, 512 * MIB),
        Plan("standard", 1, 2 * GIB),
        Plan("pro", 2, 4 * GIB),
        Plan("pro_plus", 4, 8 * GIB),
        Plan("pro_max", 4, 16 * GIB),
        Plan("pro_ultra", 8, 32 * GIB),
    )
}


def plan_named(name: str) -> Plan:
    """The plan called `name`.

    Raises:
        InvalidRequest: there is none; the message lists those there are.
    """
    plan = PLANS.get(name)
    if plan is None:
        near = difflib.get_close_matches(name, PLANS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise InvalidRequest(f"there is no plan {name!r}.{hint} Plans: {', '.join(PLANS)}", code="plan_not_found")
    return plan
