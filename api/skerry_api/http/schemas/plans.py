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
    """The runners of one version, on Kubernetes of one version and plan; there it says too how many wait, and why."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "id": "wfv-d3k1v2c5f0s73a8b9c08-standard",
                    "workflow": "shop",
                    "workflowVersionId": "wfv-d3k1v2c5f0s73a8b9c08",
                    "workflowId": "wfl-d3k1v2c5f0s73a8b9c00",
                    "runners": 2,
                    "freeSlots": 2,
                    "plan": "standard",
                    "wanted": 2,
                    "why": "2 came within 3 s",
                    "idle": 2,
                    "starting": 0,
                    "claimed": 1,
                    "updatedAt": "2026-11-23T10:00:00.000Z",
                }
            ]
        },
    )

    id: str
    workflow: Annotated[str, Field(description="The workflow's slug.")]
    workflow_version_id: str
    workflow_id: str
    runners: Annotated[int, Field(description="How many are connected to this server.")]
    free_slots: Annotated[int, Field(description="How many attempts these could take at once.")]
    plan: str | None = None
    wanted: Annotated[int | None, Field(description="How many runners should wait for work.")] = None
    why: Annotated[str | None, Field(description="What decided that.")] = None
    idle: Annotated[int | None, Field(description="How many wait.")] = None
    starting: Annotated[int | None, Field(description="How many are on their way.")] = None
    claimed: Annotated[int | None, Field(description="How many have a run.")] = None
    updated_at: Annotated[str | None, Field(description="When any of this changed last.")] = None


class PoolItem(Shape):
    """One element of the list of pools."""

    pool: Pool
    cursor: Cursor
