"""How a registration stands, as a table."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from skerry_api.executors.kubernetes.registrations import (
    REGISTER_SECONDS,
    Failed,
    HeldUp,
    Registering,
    Standing,
    judge,
)
from skerry_objects.models import Condition, Metadata
from skerry_objects.runner_pools import PodTemplate, RunnerPool, RunnerPoolSpec, RunnerPoolStatus

PULLS = "Pod wfv-1-standard-abcde: Back-off pulling image shop:1"
LATE = REGISTER_SECONDS + 1


def said(kind: str, status: str, reason: str = "", message: str = "") -> Condition:
    fields = {"type": kind, "status": status, "reason": reason, "message": message}
    return Condition.model_validate(fields | {"lastTransitionTime": datetime(2026, 11, 22, tzinfo=UTC)})


def pool_of(*conditions: Condition, observed: int = 2) -> RunnerPool:
    return RunnerPool(
        metadata=Metadata(name="wfv-1-standard", generation=2),
        spec=RunnerPoolSpec(
            workflow="shop", version="wfv-1", plan="standard", replicas=1, template=PodTemplate(image="shop:1")
        ),
        status=RunnerPoolStatus(conditions=conditions, observed_generation=observed),
    )


def pool(status: str, reason: str = "", message: str = "") -> RunnerPool:
    return pool_of(said("Ready", status, reason, message))


def held_up(reason: str, message: str) -> RunnerPool:
    return pool_of(said("Ready", "False", "Starting"), said("Waiting", "True", reason, message))


TABLE: list[tuple[str, RunnerPool | None, float, Standing]] = [
    ("no pool yet", None, 0, Registering()),
    ("nothing said yet", pool_of(), 0, Registering()),
    ("its Pod starts", pool("False", "Starting"), 0, Registering()),
    ("its runner runs", pool("True", "RunnersIdle"), 0, Registering()),
    ("what may pass", held_up("ImagePull", PULLS), 0, HeldUp("ImagePull", PULLS)),
    ("of a try before", pool_of(said("Ready", "False", "ImagePull", PULLS), observed=1), 0, Registering()),
    ("a Pod that ended", pool("False", "Error", "Pod p ended: 1"), 0, HeldUp("Error", "Pod p ended: 1")),
    ("a reason without words", pool("False", "NodeLost"), 0, HeldUp("NodeLost", "NodeLost")),
    ("what will not pass", pool("False", "ImagePull", PULLS), 0, Failed("ImagePull", PULLS)),
    ("what will not pass, without words", pool("False", "Unschedulable"), 0, Failed("Unschedulable", "Unschedulable")),
    ("too long", None, LATE, Failed("RegistrationTimeout", "no tasks were registered within 300 s")),
    (
        "too long, and what held it up",
        held_up("ImagePull", PULLS),
        LATE,
        Failed("RegistrationTimeout", f"no tasks were registered within 300 s: {PULLS}"),
    ),
]


@pytest.mark.parametrize(("what", "shown", "seconds", "standing"), TABLE, ids=[row[0] for row in TABLE])
def test_standing(what: str, shown: RunnerPool | None, seconds: float, standing: Standing) -> None:
    assert judge(shown, seconds) == standing
