"""RunnerPool: how Pods of one version and plan are made, and how many of them wait ahead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from skerry_objects.models import Condition, Metadata, Model, Quantity

# Parts of a Pod that are passed through as the API server defines them.
Passed = dict[str, Any]


class Resources(Model):
    """CPU and memory of a container."""

    requests: Annotated[dict[str, Quantity], Field(description="What the scheduler sets aside.")] = Field(
        default_factory=dict
    )
    limits: Annotated[dict[str, Quantity], Field(description="What it may use at most.")] = Field(default_factory=dict)


class PodTemplate(Model):
    """What of a task Pod can be chosen. Everything else – security, identity, probes – is the operator's."""

    image: Annotated[str, Field(description="The image with the user's code and the runner.", min_length=1)]
    image_pull_policy: Annotated[
        Literal["Always", "IfNotPresent", "Never"] | None, Field(description="As in a Pod.")
    ] = None
    app: Annotated[
        str | None,
        Field(
            description="The application, `module:attribute`. Without it and `command`, the image says it in SKERRY_APP."
        ),
    ] = None
    command: Annotated[
        Sequence[str], Field(description="A program that speaks the socket protocol, where there is no `app`.")
    ] = ()
    working_dir: Annotated[str | None, Field(description="Where user code runs, if not where the image says.")] = None
    env: Annotated[Sequence[Passed], Field(description="Environment variables, as in a Pod.")] = ()
    env_from: Annotated[Sequence[Passed], Field(description="Secrets and ConfigMaps as environment, as in a Pod.")] = ()
    resources: Annotated[Resources, Field(description="The plan's CPU and memory.")] = Resources()
    service_account_name: Annotated[str | None, Field(description="Whose identity the Pod has.")] = None
    node_selector: Annotated[dict[str, str], Field(description="As in a Pod.")] = Field(default_factory=dict)
    tolerations: Annotated[Sequence[Passed], Field(description="As in a Pod.")] = ()
    volumes: Annotated[Sequence[Passed], Field(description="As in a Pod.")] = ()
    volume_mounts: Annotated[Sequence[Passed], Field(description="As in a container.")] = ()
    runtime_class_name: Annotated[str | None, Field(description="Such as gvisor.")] = None
    image_pull_secrets: Annotated[Sequence[Passed], Field(description="As in a Pod.")] = ()
    labels: Annotated[dict[str, str], Field(description="More labels for the Pod.")] = Field(default_factory=dict)
    annotations: Annotated[dict[str, str], Field(description="More annotations for the Pod.")] = Field(
        default_factory=dict
    )


class RunnerPoolSpec(Model):
    """What the control plane wants."""

    workflow: Annotated[str, Field(description="The workflow's slug.")]
    version: Annotated[str, Field(description="The version whose code its runners serve.")]
    plan: Annotated[str, Field(description="The compute plan that sizes them.")]
    replicas: Annotated[int, Field(description="How many runners wait for work.", ge=0)] = 0
    template: Annotated[PodTemplate, Field(description="How their Pods are made.")]


class RunnerPoolStatus(Model):
    """What the operator sees."""

    replicas: Annotated[int, Field(description="Pods that wait for work, starting ones included.")] = 0
    idle: Annotated[int, Field(description="Pods that wait for work and run.")] = 0
    claimed: Annotated[int, Field(description="Pods that have taken a run.")] = 0
    starting: Annotated[int, Field(description="Pods on their way.")] = 0
    selector: Annotated[str | None, Field(description="Labels of its Pods, for /scale.")] = None
    conditions: Annotated[Sequence[Condition], Field(description="Ready, and why not.")] = ()
    observed_generation: Annotated[int | None, Field(description="The generation of `spec` this answers.")] = None


class RunnerPool(Model):
    """Runners of one version and plan."""

    api_version: Literal["skerry.dev/v1alpha1"] = "skerry.dev/v1alpha1"
    kind: Literal["RunnerPool"] = "RunnerPool"
    metadata: Metadata
    spec: RunnerPoolSpec
    status: RunnerPoolStatus = RunnerPoolStatus()
