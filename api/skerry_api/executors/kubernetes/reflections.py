"""Objects as the API server last showed them: listed once, then watched, and listed again when a watch cannot go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

import structlog

from skerry_api.executors.kubernetes.metrics import Metrics
from skerry_objects import names
from skerry_objects.clients import ApiError, Client, Expired, Json, Resource, Unreachable, pause
from skerry_objects.models import Model

log = structlog.get_logger(__name__)

Seen = TypeVar("Seen", bound=Model)


class Reflection(Generic[Seen]):
    """The objects of one kind in one namespace, by name."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        namespace: str,
        kind: type[Seen],
        changed: Callable[[str], None],
        metrics: Metrics,
        labels: str = "",
    ) -> None:
        """Call `changed` with the name of every object that came, changed or went."""
        self._client = client
        self._resource = resource
        self._namespace = namespace
        self._kind = kind
        self._changed = changed
        self._metrics = metrics
        self._labels = labels
        self.objects: dict[str, Seen] = {}
        self.synced = asyncio.Event()

    async def run(self) -> None:
        """Follow until cancelled."""
        failures = 0
        while True:
            try:
                with self._metrics.asking():
                    version = await self._list()
                    failures = 0
                    while True:
                        version = await self._watch(version)
            except Expired:
                self._metrics.watch_restarted(self._resource.plural, "expired")
            except (ApiError, Unreachable) as error:
                self._metrics.watch_restarted(self._resource.plural, "failed")
                log.warning("watch_failed", kind=self._resource.plural, error=str(error))
                await pause(failures)
                failures += 1

    async def _list(self) -> str:
        items, version = await self._client.list(self._resource, self._namespace, labels=self._labels)
        listed = {item["metadata"]["name"]: self._parsed(item) for item in items}
        gone = self.objects.keys() - listed.keys()
        moved = {name for name, seen in listed.items() if name not in self.objects or self.objects[name] != seen}
        self.objects = {name: seen for name, seen in listed.items() if seen is not None}
        self.synced.set()
        for name in (*gone, *moved):
            self._changed(name)
        return version

    async def _watch(self, version: str) -> str:
        async for change, item in self._client.watch(self._resource, self._namespace, version, labels=self._labels):
            version = item["metadata"]["resourceVersion"]
            if change == "BOOKMARK":
                continue
            self._take(change, item)
        return version

    def _take(self, change: str, item: Json) -> None:
        name = item["metadata"]["name"]
        seen = None if change == "DELETED" else self._parsed(item)
        if seen is None:
            self.objects.pop(name, None)
        else:
            self.objects[name] = seen
        self._changed(name)

    def _parsed(self, item: Json) -> Seen | None:
        try:
            return self._kind.model_validate(item)
        except ValueError as error:
            # Somebody wrote it past the schema; nothing can be done with it, and the others must not suffer.
            log.warning("object_malformed", kind=self._resource.plural, name=item["metadata"]["name"], error=str(error))
            return None


MANAGED = f"{names.MANAGED_BY}={names.MANAGER}"
