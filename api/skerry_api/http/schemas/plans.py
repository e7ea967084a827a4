"""Plans and pools."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from skerry_api.http.schemas.shapes import Cursor, Shape


class Plan(Shape):
    """How much CPU and memory an attempt gets."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "standard", "cpu": 1.0, "memoryBytes": 2_147_483_648}]}
    )

    name: str
    cpu: Annotated[float, Field(description="Cores.")]
    memory_bytes: int


class PlanItem(Shape):
    """One element of the list of plans."""

    plan: Plan
    cursor: Cursor


class Pool(Shape):
    """The runners of one version that are connected to this server."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "id": "wfv-d3k1v2c5f0s73a8b9c08",
                    "workflowVersionId": "wfv-d3k1v2c5f0s73a8b9c08",
                    "workflowId": "wfl-d3k1v2c5f0s73a8b9c00",
                    "runners": 2,
                    "freeSlots": 3,
                }
            ]
        },
    )

    id: str
    workflow_version_id: str
    workflow_id: str
    runners: int
    free_slots: Annotated[int, Field(description="How many attempts they could take at once.")]


class PoolItem(Shape):
    """One element of the list of pools."""

    pool: Pool
    cursor: Cursor
