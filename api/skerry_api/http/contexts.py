"""What the routes find on the application: the engine, the keys that are cached, and the requests that stay open."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.requests import HTTPConnection

if TYPE_CHECKING:
    from skerry_api.engine.engines import Engine
    from skerry_api.http.authorisations import KeyRing
    from skerry_api.http.streams import Streams


def engine_of(connection: HTTPConnection) -> Engine:
    """The engine of the application a request came to."""
    return cast("Engine", connection.scope["app"].state.engine)


def keys_of(connection: HTTPConnection) -> KeyRing:
    """The application's cache of API keys."""
    return cast("KeyRing", connection.scope["app"].state.keys)


def streams_of(connection: HTTPConnection) -> Streams:
    """The application's open requests."""
    return cast("Streams", connection.scope["app"].state.streams)
