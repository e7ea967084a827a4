"""When each step of a Pod's start was seen, by a watch of the API server; bare Pods to compare with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from skerry_objects.clients import Client, Resource

LIMIT_SECONDS = 600.0


@dataclass
class Sightings:
    """Objects of one kind, and when each of their states was seen first: seconds of the monotonic clock, by name."""

    client: Client
    namespace: str
    resource: Resource
    objects: dict[str, Any] = field(default_factory=dict)
    there: dict[str, float] = field(default_factory=dict)
    scheduled: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def run(self, ready: asyncio.Event) -> None:
        """Watch until cancelled."""
        _, version = await self.client.list(self.resource, self.namespace)
        ready.set()
        while True:
            async for change, seen in self.client.watch(self.resource, self.namespace, version):
                version = seen["metadata"]["resourceVersion"]
                if change in ("ADDED", "MODIFIED"):
                    self._note(seen, time.monotonic())
                    async with self._changed:
                        self._changed.notify_all()

    def _note(self, seen: Any, now: float) -> None:
        name, status = seen["metadata"]["name"], seen.get("status") or {}
        self.objects[name] = seen
        self.there.setdefault(name, now)
        if seen["spec"].get("nodeName"):
            self.scheduled.setdefault(name, now)
        if status.get("phase") in ("Succeeded", "Failed", "Canceled"):
            self.ended.setdefault(name, now)

    async def until_ended(self, names: list[str]) -> None:
        """Wait until all of these are over."""
        await self._until(lambda: all(name in self.ended for name in names))

    async def until_there(self, names: list[str]) -> None:
        """Wait until all of these exist."""
        await self._until(lambda: all(name in self.there for name in names))

    async def _until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT_SECONDS), self._changed:
            await self._changed.wait_for(done)


def bare_pod(name: str, like: Any, script: str, *, token: bool = True) -> dict[str, Any]:
    """A Pod of the image, size and security of a task's Pod, that runs a Python script and nothing else.

    `token` is Kubernetes' default, a volume with the service account's token: for any volume the kubelet waits 300 ms
    (podAttachAndMountRetryInterval in its volume manager).
    """
    container = like["spec"]["containers"][0]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"benchmark": "bare"}},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": token,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": like["spec"]["securityContext"],
            "containers": [
                {
                    "name": "task",
                    "image": container["image"],
                    "command": ["python", "-c", script],
                    "resources": container["resources"],
                    "securityContext": container["securityContext"],
                }
            ],
        },
    }
