"""RunnerPool: how Pods of one version and plan are made, and how many of them wait ahead."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from skerry_objects.models import Conditions, Metadata, Model, Plan, Quantity, Slug, Version
from skerry_objects.pod_templates import Isolation, PodTemplate
from skerry_objects.rules import IMMUTABLE


class IdleRequests(Model):
    """What a Pod that waits asks the scheduler for, where its template asks for more."""

    cpu: Annotated[Quantity | None, Field(description="CPU, such as 50m. Left out: the template's.")] = None
    memory: Annotated[Quantity | None, Field(description="Memory, such as 64Mi. Left out: the template's.")] = None


class RunnerPoolSpec(Model):
    """What the control plane wants: Pods for runs of one version in one size, and how many of them wait for work ahead."""

    workflow: Annotated[Slug, Field(description="The workflow's slug."), IMMUTABLE]
    version: Annotated[Version, Field(description="The version whose code its runners serve."), IMMUTABLE]
    plan: Annotated[Plan, Field(description="The compute plan that sizes them."), IMMUTABLE]
    isolation: Annotated[
        Isolation,
        Field(description="What its waiting runners take: one run each, or many, each in a process of its own."),
    ] = "container"
    capacity: Annotated[int, Field(description="Runs at once in one runner, with isolation process.", ge=1, le=256)] = 1
    replicas: Annotated[int, Field(description="How many runners wait for work.", ge=0)] = 0
    idle_requests: Annotated[
        IdleRequests | None,
        Field(
            description="What a Pod that waits requests in place of what its template does; it grows to that when it takes a"
            " run, where the cluster can resize Pods. Only with isolation container. Left out: it waits at full size."
        ),
    ] = None
    template: Annotated[PodTemplate, Field(description="How their Pods are made; runs that start cold use it too.")]


class RunnerPoolStatus(Model):
    """What the operator sees: the Pods there are, and what keeps others from being there."""

    replicas: Annotated[int, Field(description="Pods that wait for work, starting ones included.")] = 0
    idle: Annotated[int, Field(description="Pods that wait for work and run.")] = 0
    claimed: Annotated[int, Field(description="Pods that have taken a run.")] = 0
    starting: Annotated[int, Field(description="Pods on their way.")] = 0
    selector: Annotated[str | None, Field(description="Labels of its Pods, for /scale.")] = None
    conditions: Annotated[Conditions, Field(description="Ready, and why not.")] = ()
    observed_generation: Annotated[int | None, Field(description="The generation of `spec` this answers.")] = None


class RunnerPool(Model):
    """Runners of one version and plan."""

    api_version: Literal["skerry.dev/v1alpha1"] = "skerry.dev/v1alpha1"
    kind: Literal["RunnerPool"] = "RunnerPool"
    metadata: Metadata
    spec: RunnerPoolSpec
    status: RunnerPoolStatus = RunnerPoolStatus()
