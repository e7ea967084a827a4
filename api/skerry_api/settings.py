"""What an operator may set for a control-plane process, by environment variables named `SKERRY_…`."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from skerry_api.domain import ids
from skerry_api.domain.limits import Limits
from skerry_api.domain.plans import read_plans
from skerry_api.domain.pools import WarmPolicy
from skerry_api.engine.settings import EngineSettings
from skerry_objects.pod_templates import SharedTemplate
from skerry_objects.runner_pools import IdleRequests

# On a laptop and in tests a timeout may be shorter than what a container takes to start.
DEV_TIMEOUT_SECONDS_MIN = 0.1
_DEFAULT = EngineSettings("")


class Settings(BaseSettings):
    """Times in seconds, sizes in bytes; each is the upper-case name after `SKERRY_`."""

    model_config = SettingsConfigDict(env_prefix="SKERRY_", extra="ignore")

    poll_seconds: float = Field(_DEFAULT.poll_seconds, gt=0, le=10)
    lease_seconds: float = Field(_DEFAULT.lease_seconds, gt=0)
    start_seconds: float = Field(_DEFAULT.start_seconds, gt=0)
    timeout_grace_seconds: float = Field(_DEFAULT.timeout_grace_seconds, ge=0)
    cancel_grace_seconds: float = Field(_DEFAULT.cancel_grace_seconds, ge=0)
    log_retention_days: int = Field(_DEFAULT.log_retention_days, ge=1)
    argument_bytes: int = Field(Limits().argument_bytes, gt=0)
    result_bytes: int = Field(Limits().result_bytes, gt=0)
    executor: Literal["none", "kubernetes"] = "none"
    tasks_namespace: str | None = None
    runner_service_account: str | None = None
    plans: dict[str, dict[str, Any]] | None = None
    cpu_request_ratio: float = Field(1.0, ge=0, le=1)
    memory_request_ratio: float = Field(1.0, ge=0, le=1)
    warm_min: int = Field(WarmPolicy().least, ge=0)
    warm_max: int = Field(WarmPolicy().most, ge=0)
    warm_idle_seconds: float = Field(WarmPolicy().idle_seconds, ge=0)
    warm_idle_requests: dict[str, Any] = Field(default_factory=dict)
    pod_template: dict[str, Any] = Field(default_factory=dict)

    @field_validator("plans")
    @classmethod
    def _check_plans(cls, given: dict[str, dict[str, Any]] | None) -> dict[str, dict[str, Any]] | None:
        if given is not None:
            read_plans(given)
        return given

    @field_validator("pod_template")
    @classmethod
    def _check_pod_template(cls, given: dict[str, Any]) -> dict[str, Any]:
        SharedTemplate.read(given)
        return given

    @field_validator("warm_idle_requests")
    @classmethod
    def _check_idle_requests(cls, given: dict[str, Any]) -> dict[str, Any]:
        IdleRequests.model_validate(given, extra="forbid")
        return given

    @property
    def idle_requests(self) -> IdleRequests | None:
        """What a runner that waits requests in place of its plan's; None: the plan's."""
        return IdleRequests.model_validate(self.warm_idle_requests) if self.warm_idle_requests else None

    @property
    def warm(self) -> WarmPolicy:
        """How many runners wait ahead, where a workflow does not say."""
        return WarmPolicy(self.warm_min, max(self.warm_min, self.warm_max), self.warm_idle_seconds)

    def engine(self, *, dev: bool, require_keys: bool) -> EngineSettings:
        """The engine's settings for a process that starts now."""
        limits = Limits(argument_bytes=self.argument_bytes, result_bytes=self.result_bytes)
        if dev:
            limits = dataclasses.replace(limits, timeout_seconds_min=DEV_TIMEOUT_SECONDS_MIN)
        return EngineSettings(
            ids.new_id("cpl"),
            limits,
            dev=dev,
            require_keys=require_keys,
            poll_seconds=self.poll_seconds,
            lease_seconds=self.lease_seconds,
            start_seconds=self.start_seconds,
            timeout_grace_seconds=self.timeout_grace_seconds,
            cancel_grace_seconds=self.cancel_grace_seconds,
            log_retention_days=self.log_retention_days,
        )
