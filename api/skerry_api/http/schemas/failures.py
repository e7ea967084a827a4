"""What every refusal looks like."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from skerry_api.http.schemas.shapes import Shape


class Failure(Shape):
    """Why a request was refused, and what to do about it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "req-d3k1v2c5f0s73a8b9c10",
                    "code": "task_not_found",
                    "message": "workflow 'shop' has no task 'send_mial'. Did you mean 'send_mail'?",
                }
            ]
        }
    )

    id: Annotated[str, Field(description="This request, as in the server's log and the header `x-request-id`.")]
    code: Annotated[str, Field(description="Stable snake_case, for programs.", pattern=r"^[a-z][a-z0-9_]*$")]
    message: Annotated[str, Field(description="For people: what is wrong and what to do.")]
    details: Annotated[
        list[dict[str, Any]] | dict[str, Any] | None,
        Field(description="For wrong values: one `{field, message}` for each of them."),
    ] = None
