"""Workflow: a named set of tasks from one image, as people and GitOps tools write it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from skerry_objects.models import Condition, Metadata, Model


class Warm(Model):
    """Runners that wait ahead of need."""

    min: Annotated[int, Field(description="How many wait always.", ge=0)] = 0
    max: Annotated[int, Field(description="How many may wait after work has come.", ge=0)] = 0
    idle_seconds: Annotated[int, Field(description="How long one beyond the least waits before it leaves.", ge=0)] = 300


class WorkflowSpec(Model):
    """What is wanted. A change of anything that concerns the code makes a new version."""

    image: Annotated[str, Field(description="The image with the user's code.", min_length=1)]
    app: Annotated[
        str | None,
        Field(
            description="The application, `module:attribute`. Without it and `command`, the image says it in SKERRY_APP."
        ),
    ] = None
    command: Annotated[Sequence[str], Field(description="A program that speaks the socket protocol.")] = ()
    env: Annotated[Sequence[dict[str, Any]], Field(description="Environment variables, as in a Pod.")] = ()
    env_from: Annotated[Sequence[dict[str, Any]], Field(description="Secrets and ConfigMaps, as in a Pod.")] = ()
    concurrency_limit: Annotated[int | None, Field(description="Attempts at once at most.", ge=1)] = None
    warm: Annotated[Warm, Field(description="Runners ahead of need, for each plan in use.")] = Warm()
    template: Annotated[
        dict[str, Any], Field(description="Overrides of a RunnerPool's template, such as nodeSelector.")
    ] = Field(default_factory=dict)


class WorkflowStatus(Model):
    """What became of it."""

    version: Annotated[str | None, Field(description="The version new runs use.")] = None
    tasks: Annotated[Sequence[str], Field(description="Its tasks.")] = ()
    conditions: Annotated[Sequence[Condition], Field(description="Ready, and why not.")] = ()
    observed_generation: Annotated[int | None, Field(description="The generation of `spec` this answers.")] = None


class Workflow(Model):
    """A deployed application. `skerry deploy` and `POST /v1/workflows` write the same thing."""

    api_version: Literal["skerry.dev/v1alpha1"] = "skerry.dev/v1alpha1"
    kind: Literal["Workflow"] = "Workflow"
    metadata: Metadata
    spec: WorkflowSpec
    status: WorkflowStatus = WorkflowStatus()
