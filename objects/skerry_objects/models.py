"""What all objects share: camel-case keys, metadata, conditions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

from skerry_objects.rules import Unique

# As the API server reads amounts, none of which can be negative here.
# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
_QUANTITY = r"^\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$"
Quantity = Annotated[
    str,
    BeforeValidator(lambda amount: str(amount) if type(amount) is int else amount),
    Field(pattern=_QUANTITY),
    WithJsonSchema({"x-kubernetes-int-or-string": True, "minimum": 0, "pattern": _QUANTITY}),
]
# As Kubernetes writes times: UTC, to the second, with a Z.
Time = Annotated[
    datetime,
    PlainSerializer(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ"), return_type=str, when_used="json"),
]
# As long as the control plane lets them be.
Slug = Annotated[str, Field(min_length=1, max_length=63)]
Version = Annotated[str, Field(min_length=1, max_length=63)]
Task = Annotated[str, Field(min_length=1, max_length=128)]
Plan = Annotated[str, Field(min_length=1, max_length=40)]
# The name of another object.
Name = Annotated[str, Field(min_length=1, max_length=253)]


class Model(BaseModel):
    """A part of an object. Keys that a newer version knows are ignored."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")

    def to_json(self) -> dict[str, Any]:
        """As the API server takes it; what has no value is left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class OwnerReference(Model):
    """Who an object belongs to."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None


class Metadata(Model):
    """The parts of an object's metadata that Skerry looks at."""

    name: str
    namespace: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    generation: int | None = None
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    finalizers: Sequence[str] = ()
    owner_references: Sequence[OwnerReference] = ()


class Condition(Model):
    """One thing that is, or is not, true of an object, and why: the standard form of Kubernetes."""

    type: Annotated[str, Field(description="What is said, such as Ready.", max_length=316)]
    status: Annotated[Literal["True", "False", "Unknown"], Field(description="Whether it is so.")]
    reason: Annotated[str, Field(description="Why, as one word for programs.", max_length=1024)]
    message: Annotated[str, Field(description="Why, for people.", max_length=32768)] = ""
    last_transition_time: Annotated[Time, Field(description="When `status` changed last.")]
    observed_generation: Annotated[int | None, Field(description="The generation this was said of.")] = None


Conditions = Annotated[Sequence[Condition], Unique("type")]
