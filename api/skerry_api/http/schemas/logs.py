"""Log lines, in Skerry's shape and in Render's."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, RootModel

from skerry_api.http.schemas.shapes import Shape, Time

LINE_EXAMPLE: dict[str, Any] = {
    "id": "1017",
    "timestamp": "2026-11-22T21:04:05.901Z",
    "taskRunId": "trn-d3k1v2c5f0s73a8b9c10",
    "attempt": 0,
    "stream": "stdout",
    "message": "sending to ann@example.com",
    "labels": [{"name": "taskRun", "value": "trn-d3k1v2c5f0s73a8b9c10"}, {"name": "level", "value": "info"}],
}


class LogLabel(Shape):
    """What a line is about, for Render's clients."""

    name: str
    value: str


class LogLine(Shape):
    """One line that user code wrote."""

    model_config = ConfigDict(json_schema_extra={"examples": [LINE_EXAMPLE]})

    id: Annotated[str, Field(description="Grows with time.")]
    timestamp: Annotated[Time, Field(description="When the runner read it.")]
    task_run_id: str
    attempt: Annotated[int, Field(ge=0, description="0 for the first.")]
    stream: Literal["stdout", "stderr"]
    message: str
    labels: list[LogLabel]


class RunLogs(Shape):
    """A page of a run's log, oldest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"logs": [LINE_EXAMPLE], "cursor": "1017"}]})

    logs: list[LogLine]
    cursor: Annotated[str, Field(description="Give it back as `?cursor=` for what comes after this page.")]


class LogPage(Shape):
    """A page of lines from a stretch of time, and the stretch to ask for next."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "hasMore": False,
                    "nextStartTime": "2026-11-22T20:04:05.000Z",
                    "nextEndTime": "2026-11-22T21:04:05.901Z",
                    "logs": [LINE_EXAMPLE],
                }
            ]
        }
    )

    has_more: Annotated[bool, Field(description="Whether there may be more lines in the next stretch.")]
    next_start_time: Time
    next_end_time: Time
    logs: list[LogLine]


class LogValues(RootModel[list[str]]):
    """The values of one label, each once."""

    model_config = ConfigDict(json_schema_extra={"examples": [["error", "info"]]})
