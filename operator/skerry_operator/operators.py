"""The whole operator: stands by, becomes active when it gets the Lease, and stops acting before it can lose it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import structlog

from skerry_objects.clients import Client
from skerry_objects.configurations import Configuration
from skerry_operator.clusters import Cluster, LeaseCluster
from skerry_operator.leases import Lease, Terms
from skerry_operator.metrics import Metrics, Pulse
from skerry_operator.probes import serve
from skerry_operator.sessions import Session, first_of
from skerry_operator.settings import Settings

log = structlog.get_logger(__name__)


@dataclass
class Operator:
    """One replica.

    Attributes:
        stop: ends it in good order.
        port: where the probes are, once it runs.
    """

    configuration: Configuration
    settings: Settings
    terms: Terms = field(default_factory=Terms)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    metrics: Metrics = field(default_factory=Metrics)
    alive: Pulse = field(default_factory=Pulse)
    ready: Pulse = field(default_factory=Pulse)
    port: int = 0

    async def run(self) -> None:
        """Serve until `stop` is set."""
        settings = self.settings
        # Not ready before the API server has answered once.
        self.ready.beat("api", 0)
        # What serves the probes must not wait for what reconciles, nor the Lease for either.
        async with (
            Client(self.configuration, connections=settings.concurrency + 4) as client,
            Client(self.configuration, connections=2) as lease_client,
            serve(settings.port, self.metrics, self.alive, self.ready) as self.port,
        ):
            namespace = settings.lease_namespace or self.configuration.namespace
            contest = LeaseCluster(lease_client, namespace, settings.lease_name)
            lease = Lease(contest, settings.identity, self.alive, self.ready, self.terms)
            while await first_of(lease.acquire(), self.stop.wait()) == 0:
                await self._act(client, lease)
                if self.stop.is_set():
                    return

    async def _act(self, client: Client, lease: Lease) -> None:
        namespace = self.settings.namespace or self.configuration.namespace
        cluster = Cluster(client, namespace, self.metrics)
        session = Session(cluster, self.configuration, namespace, self.settings, self.metrics, self.alive, self.ready)
        self.metrics.active.set(1)
        try:
            await first_of(session.run(), lease.keep(), self.stop.wait())
        except Exception:
            # Whatever broke, the next session begins from what the cluster shows; perhaps another replica's.
            log.exception("session_failed")
            await asyncio.sleep(1.0)
        finally:
            self.metrics.active.set(0)
            await lease.release()
