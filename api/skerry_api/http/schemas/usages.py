"""Usage and metrics."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from skerry_api.http.schemas.shapes import Shape, Time


class TaskUsage(Shape):
    """What the attempts of one task on one plan have used."""

    task: Annotated[str, Field(description="`workflow/task`.")]
    workflow: str
    plan: str
    runs: int
    attempts: int
    seconds: Annotated[float, Field(description="Running time of all attempts together.")]
    cpu_seconds: Annotated[float, Field(description="Measured CPU time of all attempts together.")]
    max_rss_bytes: Annotated[int | None, Field(description="The most memory any of them had.")]


class WarmUsage(Shape):
    """How long Pods of one workflow on one plan waited for work."""

    workflow: str
    plan: str
    seconds: Annotated[float, Field(description="Waiting and starting time of all Pods together, by whole hours.")]


class UsageReport(Shape):
    """What was used in a stretch of time."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "start": "2026-11-01T00:00:00.000Z",
                    "end": "2026-12-01T00:00:00.000Z",
                    "usage": [
                        {
                            "task": "shop/send_mail",
                            "workflow": "shop",
                            "plan": "standard",
                            "runs": 120,
                            "attempts": 123,
                            "seconds": 54.2,
                            "cpuSeconds": 12.9,
                            "maxRssBytes": 48_234_496,
                        }
                    ],
                    "warm": [{"workflow": "shop", "plan": "standard", "seconds": 7204.5}],
                }
            ]
        }
    )

    start: Time
    end: Time
    usage: list[TaskUsage]
    warm: list[WarmUsage]


class SeriesLabel(Shape):
    """What a series is about."""

    field: str
    value: str


class SeriesValue(Shape):
    """One value of a series."""

    timestamp: Time
    value: float


class Series(Shape):
    """Values over time, in Render's shape."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "labels": [
                        {"field": "resource", "value": "shop/send_mail"},
                        {"field": "state", "value": "succeeded"},
                    ],
                    "values": [{"timestamp": "2026-11-22T21:04:00.000Z", "value": 3}],
                    "unit": "runs",
                }
            ]
        }
    )

    labels: list[SeriesLabel]
    values: list[SeriesValue]
    unit: str
