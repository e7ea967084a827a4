"""Puts the REST interface onto an application."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from skerry_api.domain.errors import SkerryError
from skerry_api.http import documents, failures
from skerry_api.http.authorisations import KeyRing
from skerry_api.http.middlewares import RequestBounds
from skerry_api.http.routes import create_router
from skerry_api.http.streams import Streams


def install(app: FastAPI) -> None:
    """Add routes, error replies and request bounds; `app.state.engine` must be set before the first request.

    It sets `app.state.streams`, whose `close` ends the requests held open: call it when the server begins to stop.
    """
    app.state.keys = KeyRing()
    app.state.streams = Streams()
    app.router.redirect_slashes = False
    # Before the framework's own, which are asked for rarely.
    app.router.routes[:0] = create_router().routes
    app.openapi = lambda: documents.describe(app)  # type: ignore[method-assign]  # FastAPI's documented way
    app.add_exception_handler(SkerryError, failures.on_skerry_error)
    app.add_exception_handler(HTTPException, failures.on_http_exception)
    app.add_exception_handler(RequestValidationError, failures.on_invalid_values)
    app.add_middleware(RequestBounds)
