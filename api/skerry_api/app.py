"""The ASGI application: one engine, one executor, the routes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI

from skerry_api import __version__
from skerry_api.engine.engines import Engine
from skerry_api.engine.executions import Executor
from skerry_api.engine.settings import EngineSettings
from skerry_api.http import gateways, installations
from skerry_api.storage.databases import Database


def create_app(
    settings: EngineSettings, database_url: str, executor_for: Callable[[Engine], Executor] | None = None
) -> FastAPI:
    """An application on one database; `executor_for` makes the part that starts runners, if this process has one."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = Engine(settings, Database(database_url))
        app.state.engine = engine
        await engine.start()
        if executor_for is not None:
            app.state.executor = executor_for(engine)
            await app.state.executor.start()
        try:
            yield
        finally:
            # The server has stopped the executor already, while runners could still reach the gateway.
            await engine.stop()

    app = FastAPI(title="Skerry", version=__version__, lifespan=lifespan, docs_url="/docs", redoc_url=None)
    app.state.executor = None
    installations.install(app)
    app.include_router(gateways.router)
    return app
