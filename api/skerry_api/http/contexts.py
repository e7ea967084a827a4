"""What the routes find on the application: the engine, the keys that are cached, and the requests that stay open."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.requests import HTTPConnection

from skerry_api.domain.errors import Conflict
from skerry_api.engine.executions import Releaser

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


def find_releaser(connection: HTTPConnection) -> Releaser | None:
    """What releases images; None where runners are not made from any."""
    executor = getattr(connection.scope["app"].state, "executor", None)
    return executor if isinstance(executor, Releaser) else None


def releaser_of(connection: HTTPConnection) -> Releaser:
    """What releases images.

    Raises:
        Conflict: this server does not run on Kubernetes.
    """
    releaser = find_releaser(connection)
    if releaser is None:
        raise Conflict(
            "releasing an image needs the Kubernetes executor, which this server does not run;"
            " a local server registers the application it was started with",
            code="not_supported",
        )
    return releaser


def streams_of(connection: HTTPConnection) -> Streams:
    """The application's open requests."""
    return cast("Streams", connection.scope["app"].state.streams)
