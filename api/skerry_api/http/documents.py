"""The OpenAPI document: what FastAPI derives from the routes, with keys, common errors and examples filled in."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

DESCRIPTION = """
Durable tasks on your own Kubernetes. Start runs, wait for their results, follow their logs.

Errors are `{id, code, message, details?}`; `code` is stable. Lists are arrays of `{<thing>, cursor}`: give the last element's
`cursor` back as `?cursor=` for the next page. Times are RFC 3339 in UTC; durations are in the unit their name ends with.
"""
_OPEN_PATHS = ("/healthz", "/readyz", "/metrics")


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of an application, made once."""
    if app.openapi_schema is None:
        routes = [route for route in app.routes if isinstance(route, APIRoute)]
        document = get_openapi(title="Skerry", version=app.version, description=DESCRIPTION, routes=routes)
        _describe_keys(document, needed=app.state.engine.settings.require_keys)
        app.openapi_schema = document
    return app.openapi_schema


def _describe_keys(document: dict[str, Any], *, needed: bool) -> None:
    scheme = {"type": "http", "scheme": "bearer", "description": "An API key, `sk_…`."}
    document["components"]["securitySchemes"] = {"apiKey": scheme}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if path in _OPEN_PATHS or not needed:
                operation["security"] = []
            else:
                operation["security"] = [{"apiKey": []}]
