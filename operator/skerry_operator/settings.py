"""What can be set for the operator, by environment variables named `SKERRY_OPERATOR_…`."""

from __future__ import annotations

import socket
from datetime import timedelta

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from skerry_operator.decisions.task_runs import Patience
from skerry_operator.manifests import Surroundings


class Settings(BaseSettings):
    """Times in seconds; each is the upper-case name after `SKERRY_OPERATOR_`.

    Attributes:
        namespace: where TaskRuns and their Pods are; default: the operator's own.
        url: the control plane, as Pods reach it.
        identity: who holds the Lease; different for each replica.
        concurrency: reconciliations, and so requests to the API server, at once.
        announce: whether transitions are also said as Kubernetes Events.
        run_as_user: user and group of task processes; 0 leaves both to the image, which must not choose root.
    """

    model_config = SettingsConfigDict(env_prefix="SKERRY_OPERATOR_", extra="ignore")

    url: str = Field(min_length=1)
    namespace: str | None = None
    service_account: str | None = None
    run_as_user: int = Field(65532, ge=0)
    ttl_seconds: float = Field(3600, ge=0)
    succeeded_pod_seconds: float = Field(300, ge=0)
    resync_seconds: float = Field(60, gt=0)
    image_pull_seconds: float = Field(120, ge=0)
    unschedulable_seconds: float = Field(300, ge=0)
    no_room_seconds: float = Field(86_400, ge=0)
    lease_name: str = "skerry-operator"
    lease_namespace: str | None = None
    identity: str = Field(default_factory=socket.gethostname, min_length=1)
    port: int = Field(8080, ge=0, le=65535)
    concurrency: int = Field(32, ge=1)
    announce: bool = True
    log_level: str = "info"

    def patience(self) -> Patience:
        """How long what may pass by itself is waited for."""
        return Patience(
            image_pull=timedelta(seconds=self.image_pull_seconds),
            unschedulable=timedelta(seconds=self.unschedulable_seconds),
            no_room=timedelta(seconds=self.no_room_seconds),
            succeeded_pod=timedelta(seconds=self.succeeded_pod_seconds),
            ttl=timedelta(seconds=self.ttl_seconds),
        )

    def surroundings(self) -> Surroundings:
        """What all Pods share."""
        return Surroundings(self.url, self.service_account or None, self.run_as_user or None)
