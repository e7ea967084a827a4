"""Kubernetes Events on TaskRuns, for `kubectl describe`: sent when there is time, dropped when there are too many."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from skerry_objects.clients import ApiError, Unreachable
from skerry_objects.names import API_VERSION
from skerry_objects.task_runs import TaskRun
from skerry_operator.clusters import Cluster
from skerry_operator.decisions.actions import Announce

log = structlog.get_logger(__name__)

MOST_WAITING: Final = 1000
BUSY_A_SECOND: Final = 5.0
IDLE_A_SECOND: Final = 20.0


class Announcer:
    """Sends Events one after another."""

    def __init__(self, cluster: Cluster, identity: str, enabled: bool = True) -> None:
        """Speak as `identity`; say nothing unless `enabled`."""
        self._cluster = cluster
        self._identity = identity
        self._enabled = enabled
        self._queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(MOST_WAITING)

    def announce(self, run: TaskRun, said: Announce) -> None:
        """Say it about `run`, if there is room."""
        if self._enabled and not self._queue.full():
            self._queue.put_nowait(self._event(run, said))

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            event = await self._queue.get()
            try:
                await self._cluster.create_event(event)
            except (ApiError, Unreachable) as error:
                log.info("event_dropped", reason=event["reason"], error=str(error))
            await asyncio.sleep(self._cluster.pace.seconds(BUSY_A_SECOND, IDLE_A_SECOND))

    def _event(self, run: TaskRun, said: Announce) -> dict[str, Any]:
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        metadata = run.metadata
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata.name}.{time.time_ns():x}", "namespace": metadata.namespace},
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": run.kind,
                "name": metadata.name,
                "namespace": metadata.namespace,
                "uid": metadata.uid,
            },
            "type": said.kind,
            "reason": said.reason,
            "message": said.message,
            "source": {"component": "skerry-operator", "host": self._identity},
            "reportingComponent": "skerry-operator",
            "reportingInstance": self._identity,
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
        }
