"""Every route of the REST interface."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.routing import APIRoute

from skerry_api.http import (
    health,
    keys,
    log_followers,
    logs,
    plans,
    run_lists,
    runs,
    tasks,
    usages,
    versions,
    workflows,
)


def create_router() -> APIRouter:
    """The routes in the order in which they are tried: the hot ones first, fixed paths before those with parameters."""
    router = APIRouter()
    for part in (
        run_lists.events,
        runs.hot,
        runs.router,
        run_lists.router,
        logs.router,
        log_followers.router,
        tasks.router,
        workflows.router,
        versions.router,
        plans.router,
        usages.router,
        keys.router,
        health.router,
    ):
        for route in part.routes:
            if isinstance(route, APIRoute):
                route.operation_id = route.name
            # Added flat: an included router would cost every request a second look-up.
            router.routes.append(route)
    return router
