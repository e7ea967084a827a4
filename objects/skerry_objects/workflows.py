"""Workflow: a named set of tasks from one image, as people and GitOps tools write it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from skerry_objects.models import Conditions, Metadata, Model
from skerry_objects.pod_templates import Code, Isolation, PodOverrides
from skerry_objects.rules import VALIDATIONS, Rule

# Checked by the API server; one that gets past it is refused by the control plane, which says so in `status`.
SLUG = Rule(
    "size(self.metadata.name) <= 63 && self.metadata.name.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')",
    "a Workflow's name addresses its tasks, as name/task: give it one of 1 to 63 lower-case letters, digits or '-',"
    " with a letter or digit at both ends and no dots",
)
_IN_ORDER = Rule(
    "!(has(self.max) && has(self.min)) || self.max >= self.min",
    "max must not be less than min; leave it out for what holds in this installation, but at least min",
    lambda warm: warm.max is None or warm.min is None or warm.max >= warm.min,
)


class Warm(Model):
    """Runners that wait ahead of need; what is left out is as the installation says."""

    model_config = ConfigDict(json_schema_extra={VALIDATIONS: [_IN_ORDER.to_json()]})

    min: Annotated[int | None, Field(description="How many wait always.", ge=0)] = None
    max: Annotated[int | None, Field(description="How many may wait after work has come.", ge=0)] = None
    idle_seconds: Annotated[
        int | None, Field(description="How long one beyond the least waits after the last need of it.", ge=0)
    ] = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        _IN_ORDER.check(self)
        return self


class WorkflowSpec(Code):
    """What is wanted: an image, how its tasks are found, and how they run. What concerns its Pods makes a new version."""

    concurrency_limit: Annotated[
        int | None,
        Field(description="Attempts at once at most, not counting those that only wait.", ge=1, le=1_000_000),
    ] = None
    isolation: Annotated[
        Isolation,
        Field(
            description="container: a container for each run. process: containers that take many runs, one after another or"
            " `capacity` at once, each in a process of its own: for high rates of code that trusts itself."
        ),
    ] = "container"
    capacity: Annotated[
        int, Field(description="Runs at once in one container, with isolation process.", ge=1, le=256)
    ] = 1
    warm: Annotated[Warm, Field(description="Runners ahead of need, for each plan in use.")] = Warm()
    template: Annotated[
        PodOverrides, Field(description="What its Pods have in place of what all task Pods have, such as nodeSelector.")
    ] = PodOverrides()


class WorkflowStatus(Model):
    """What became of it: the version in use, and whether it is the one that `spec` asks for."""

    version: Annotated[str | None, Field(description="The version new runs use.")] = None
    tasks: Annotated[Sequence[str], Field(description="Its tasks.")] = ()
    conditions: Annotated[Conditions, Field(description="Ready, and why not.")] = ()
    observed_generation: Annotated[int | None, Field(description="The generation of `spec` this answers.")] = None


class Workflow(Model):
    """A deployed application. `skerry deploy` and `POST /v1/workflows` write the same thing."""

    api_version: Literal["skerry.dev/v1alpha1"] = "skerry.dev/v1alpha1"
    kind: Literal["Workflow"] = "Workflow"
    metadata: Metadata
    spec: WorkflowSpec
    status: WorkflowStatus = WorkflowStatus()
