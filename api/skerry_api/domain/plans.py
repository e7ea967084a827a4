"""Compute plans: how much CPU and memory an attempt's container gets."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

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

# The plans there are, by name; an installation may define others before anything runs.
PLANS: dict[str, Plan] = {
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

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
_CPU = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m?)\Z")
_MEMORY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(Ki|Mi|Gi|Ti|k|M|G|T)?\Z")
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 1024, "Mi": MIB, "Gi": GIB, "Ti": 1024 * GIB}


def read_plans(given: Mapping[str, Mapping[str, Any]]) -> list[Plan]:
    """Plans as an installation defines them, such as `{"standard": {"cpu": "500m", "memory": "1Gi"}}`, small ones first.

    Raises:
        ValueError: a name or an amount is malformed, or there is no plan for tasks that name none.
    """
    plans = []
    for name, amounts in given.items():
        cpu, memory = _CPU.match(str(amounts.get("cpu"))), _MEMORY.match(str(amounts.get("memory")))
        if not _NAME.match(name):
            raise ValueError(f"plan name {name!r} must be 1–40 lower-case letters, digits or '_'")
        if cpu is None or float(cpu[1]) == 0:
            raise ValueError(f"plan {name!r}: cpu must be an amount such as 500m or 2, not {amounts.get('cpu')!r}")
        if memory is None or float(memory[1]) == 0:
            raise ValueError(f"plan {name!r}: memory must be an amount such as 512Mi, not {amounts.get('memory')!r}")
        cores = float(cpu[1]) / (1000 if cpu[2] else 1)
        plans.append(Plan(name, cores, int(float(memory[1]) * _UNITS[memory[2] or ""])))
    if DEFAULT_PLAN not in given:
        raise ValueError(f"there must be a plan {DEFAULT_PLAN!r}, for tasks that name none")
    return sorted(plans, key=lambda plan: (plan.cpu, plan.memory_bytes))


def define_plans(plans: Iterable[Plan]) -> None:
    """Replace the plans there are."""
    defined = {plan.name: plan for plan in plans}
    PLANS.clear()
    PLANS.update(defined)


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
