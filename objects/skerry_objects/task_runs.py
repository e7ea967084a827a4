"""TaskRun: one run, and the Pod of its present attempt."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from skerry_objects.models import Conditions, Metadata, Model, Name, Plan, Slug, Task, Time, Version
from skerry_objects.rules import IMMUTABLE, Rule


class Phase(StrEnum):
    """Where a TaskRun is."""

    PENDING = "Pending"
    STARTING = "Starting"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELED = "Canceled"


class Reason(StrEnum):
    """Why an attempt's Pod waits or ended, in the cluster's words where it has any."""

    COMPLETED = "Completed"  # exit code 0
    ERROR = "Error"  # any other exit code
    CANCELED = "Canceled"
    OOM_KILLED = "OOMKilled"
    EVICTED = "Evicted"
    PREEMPTED = "Preempted"
    NODE_LOST = "NodeLost"
    POD_DELETED = "PodDeleted"  # by somebody else
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    IMAGE_PULL = "ImagePull"  # ErrImagePull, ImagePullBackOff, InvalidImageName, …
    CONFIG_ERROR = "CreateContainerConfigError"  # such as a Secret that is not there
    CONTAINER_ERROR = "CreateContainerError"  # such as a command that is not in the image
    UNSCHEDULABLE = "Unschedulable"  # no node could take it, were it empty
    NO_ROOM = "NoRoom"  # a node could take it, once something else has ended
    QUOTA_EXCEEDED = "QuotaExceeded"
    REFUSED = "AdmissionRefused"  # the API server or a webhook does not take the Pod
    POOL_MISSING = "PoolMissing"  # poolRef names nothing


GROWING = Rule("self >= oldSelf", "an attempt is followed by a later one only")
TERMINAL = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELED})


class TaskRunSpec(Model):
    """What the control plane wants: a Pod for the present attempt of one run. Only the attempt changes, when one is retried."""

    run_id: Annotated[Name, Field(alias="runID", description="The run in Skerry's record."), IMMUTABLE]
    workflow: Annotated[Slug, Field(description="The workflow's slug."), IMMUTABLE]
    version: Annotated[Version, Field(description="The version whose code runs."), IMMUTABLE]
    task: Annotated[Task, Field(description="The task's name."), IMMUTABLE]
    attempt: Annotated[
        int,
        Field(description="The present try, from 1. A retry raises it, and with it comes another Pod.", ge=1),
        GROWING,
    ] = 1
    pool_ref: Annotated[Name, Field(description="The RunnerPool whose template the Pod is made from."), IMMUTABLE]
    plan: Annotated[Plan, Field(description="The compute plan that sizes the Pod."), IMMUTABLE]
    timeout_seconds: Annotated[
        float,
        Field(
            description="How long user code may run. The runner ends it first; the Pod's own deadline is later.", gt=0
        ),
        IMMUTABLE,
    ]
    pod_name: Annotated[
        Name | None, Field(description="A warm Pod that took this attempt already; the operator adopts it.")
    ] = None


class TaskRunStatus(Model):
    """What the operator sees: the Pod of the present attempt, and what became of it."""

    phase: Annotated[Phase | None, Field(description="Where the present attempt is.")] = None
    reason: Annotated[str | None, Field(description="Why the attempt's Pod waits or ended, as one word.")] = None
    message: Annotated[str | None, Field(description="The same in the cluster's own words.")] = None
    pod_name: Annotated[str | None, Field(description="The attempt's Pod.")] = None
    pod_uid: Annotated[str | None, Field(alias="podUID", description="The Pod's uid: names are used again.")] = None
    node: Annotated[str | None, Field(description="The node it runs on.")] = None
    attempt: Annotated[int | None, Field(description="The attempt all this is about.")] = None
    started_at: Annotated[Time | None, Field(description="When the container started.")] = None
    finished_at: Annotated[Time | None, Field(description="When it ended.")] = None
    exit_code: Annotated[int | None, Field(description="The container's exit code.")] = None
    conditions: Annotated[Conditions, Field(description="PodScheduled, Started, Resized and Succeeded.")] = ()
    observed_generation: Annotated[int | None, Field(description="The generation of `spec` this answers.")] = None


class TaskRun(Model):
    """One run of a task: the control plane writes `spec`, the operator answers in `status`. Deleting it cancels the run."""

    api_version: Literal["skerry.dev/v1alpha1"] = "skerry.dev/v1alpha1"
    kind: Literal["TaskRun"] = "TaskRun"
    metadata: Metadata
    spec: TaskRunSpec
    status: TaskRunStatus = TaskRunStatus()
