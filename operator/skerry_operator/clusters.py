"""Everything the operator asks of the Kubernetes API, by what it means. The only module that calls it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from skerry_objects.clients import (
    EVENTS,
    LEASES,
    PODS,
    RUNNER_POOLS,
    TASK_RUNS,
    ApiError,
    Change,
    Client,
    Page,
    Unreachable,
)
from skerry_objects.names import CONTAINER, MANAGED_BY, MANAGER
from skerry_operator.metrics import Metrics
from skerry_operator.paces import Pace
from skerry_operator.queues import Postponed
from skerry_operator.stores import Kind

Json = dict[str, Any]

MANAGED: Final = f"{MANAGED_BY}={MANAGER}"
RESOURCES: Final = {Kind.TASK_RUN: TASK_RUNS, Kind.RUNNER_POOL: RUNNER_POOLS, Kind.POD: PODS}
SELECTORS: Final = {Kind.TASK_RUN: "", Kind.RUNNER_POOL: "", Kind.POD: MANAGED}

# Answers that say nothing of the request: too many at once, or it cannot serve any now.
TOO_BUSY: Final = frozenset({429, 500, 503, 504})


class NameTaken(Exception):
    """There is an object of this name already."""


class Cluster:
    """One namespace of a cluster.

    Attributes:
        pace: learns from every write how busy the API server is.
    """

    def __init__(self, client: Client, namespace: str, metrics: Metrics) -> None:
        """Ask through `client`."""
        self._client = client
        self._namespace = namespace
        self._metrics = metrics
        self.pace = Pace()

    @contextmanager
    def _writing(self, verb: str, resource: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        except (ApiError, Unreachable) as error:
            if isinstance(error, Unreachable) or error.status in TOO_BUSY:
                self.pace.refused()
            raise
        else:
            self.pace.answered(time.monotonic() - began)
        finally:
            self._metrics.wrote(verb, resource, time.monotonic() - began)

    def pages(self, kind: Kind) -> AsyncIterator[Page]:
        """All objects of a kind, some at a time."""
        return self._client.pages(RESOURCES[kind], self._namespace, labels=SELECTORS[kind])

    def changes(self, kind: Kind, version: str) -> AsyncIterator[tuple[Change, Json]]:
        """What happened to objects of a kind since `version`, until the API server ends the watch.

        Raises:
            Expired: it no longer knows what happened since.
        """
        return self._client.watch(RESOURCES[kind], self._namespace, version, labels=SELECTORS[kind])

    async def find(self, kind: Kind, name: str) -> Json | None:
        """An object as it is now."""
        try:
            return await self._client.get(RESOURCES[kind], self._namespace, name)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def create_pod(self, manifest: Json) -> Json:
        """Make a Pod.

        Raises:
            NameTaken: there is one of this name.
            ApiError: it was refused.
        """
        try:
            with self._writing("create", "pods"):
                return await self._client.create(PODS, self._namespace, manifest)
        except ApiError as error:
            # A 409 may also mean that a quota was counted by somebody else at the same time: that passes.
            if error.status == 409 and error.reason == "AlreadyExists":
                raise NameTaken(manifest["metadata"]["name"]) from error
            raise

    async def change_pod(self, name: str, change: Json) -> Json:
        """Change parts of a Pod."""
        with self._writing("patch", "pods"):
            return await self._client.patch(PODS, self._namespace, name, change)

    async def can_resize(self) -> bool:
        """Whether Pods can be resized in place: since Kubernetes 1.33, unless somebody switched it off."""
        try:
            return f"{PODS.plural}/resize" in await self._client.kinds(PODS.api_version)
        except ApiError as error:
            if error.status in (401, 403, 404):
                return False  # It does not tell everybody what it can do.
            raise

    async def resize_pod(self, name: str, requests: Mapping[str, str]) -> Json | None:
        """Have the container of a Pod that runs request this; None if it is gone, or Pods cannot be resized any more."""
        change = {"spec": {"containers": [{"name": CONTAINER, "resources": {"requests": dict(requests)}}]}}
        try:
            with self._writing("patch", f"{PODS.plural}/resize"):
                return await self._client.merge(PODS, self._namespace, name, change, subresource="resize")
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def delete_pod(self, name: str, uid: str, version: int | None = None) -> bool:
        """Remove this Pod and no other of its name; False when it is gone, or no longer at `version` if one is given."""
        with self._writing("delete", "pods"):
            return await self._client.delete(PODS, self._namespace, name, uid=uid, version=version)

    async def delete_task_run(self, name: str, uid: str | None) -> None:
        """Remove this TaskRun, and its Pods with it."""
        with self._writing("delete", "taskruns"):
            await self._client.delete(TASK_RUNS, self._namespace, name, uid=uid)

    async def write_status(self, kind: Kind, name: str, version: str | None, change: Json) -> Json:
        """Change an object's status, if it is still at `version`: nobody else's news are overwritten."""
        resource = RESOURCES[kind]
        body = {"metadata": {"resourceVersion": version}, "status": change}
        with self._writing("patch", f"{resource.plural}/status"):
            return await self._client.patch(resource, self._namespace, name, body, subresource="status")

    async def create_event(self, body: Json) -> None:
        """Say something about an object."""
        await self._client.create(EVENTS, self._namespace, body)


class LeaseCluster:
    """One Lease."""

    def __init__(self, client: Client, namespace: str, name: str) -> None:
        """Ask through `client`."""
        self._client = client
        self._namespace = namespace
        self.name = name

    async def read(self) -> Json | None:
        """The Lease as it is now."""
        try:
            return await self._client.get(LEASES, self._namespace, self.name)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def create(self, body: Json) -> Json | None:
        """Make it; None when somebody else did."""
        return await self._unless_conflict(self._client.create(LEASES, self._namespace, body))

    async def replace(self, body: Json) -> Json | None:
        """Write it; None when somebody else wrote since it was read."""
        return await self._unless_conflict(self._client.replace(LEASES, self._namespace, body))

    async def _unless_conflict(self, request: Any) -> Json | None:
        try:
            answer: Json = await request
        except ApiError as error:
            if error.status == 409:
                return None
            raise
        return answer


def postponed(error: ApiError | Unreachable) -> Postponed:
    """A failed request as a reason to try again later."""
    if isinstance(error, ApiError):
        return Postponed(f"{error.status} {error.reason}: {error.message}", error.retry_after or 0.0)
    return Postponed(str(error))
