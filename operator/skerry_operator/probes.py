"""HTTP: /healthz, /readyz and /metrics."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from skerry_operator.metrics import Metrics, Pulse


@asynccontextmanager
async def serve(port: int, metrics: Metrics, alive: Pulse, ready: Pulse) -> AsyncIterator[int]:
    """Answer until the block ends; yields the port, which is a free one if `port` is 0."""

    async def health(_: web.Request) -> web.Response:
        return _verdict(alive.silent())

    async def readiness(_: web.Request) -> web.Response:
        return _verdict(ready.silent())

    async def numbers(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    application = web.Application()
    application.add_routes([web.get("/healthz", health), web.get("/readyz", readiness), web.get("/metrics", numbers)])
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, port=port)
        await site.start()
        # With port 0, IPv4 and IPv6 get different ones.
        yield min(runner.addresses, key=lambda address: ":" in address[0])[1]
    finally:
        await runner.cleanup()


def _verdict(silent: list[str]) -> web.Response:
    return web.json_response({"ok": not silent, "silent": silent}, status=503 if silent else 200)
