"""Serving the application: sockets, logging, signals, garbage collection."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import uvicorn
from fastapi import FastAPI

from skerry_api.domain.errors import Conflict

# A result or argument of the largest allowed size, escaped as JSON text, fits.
WEBSOCKET_BYTES = 32 * 1024 * 1024
SHUTDOWN_SECONDS = 10


class PortInUse(Conflict):
    """Another program listens on this port."""

    default_code = "port_in_use"


def configure_logging(level: str = "info") -> None:
    """One JSON object a line, on stderr."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def bind(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        PortInUse: another program has the port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(2048)
    except OSError as error:
        bound.close()
        raise PortInUse(f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port") from error
    bound.setblocking(False)
    return bound


class _Server(uvicorn.Server):
    """A server whose runners leave before its sockets close, so that they can still hand in their last results."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave on SIGINT and SIGTERM, without raising them again afterwards: what surrounds the server ends too."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        state = self.config.app.state  # type: ignore[union-attr]  # it is the FastAPI application
        state.streams.close()
        executor = state.executor
        if executor is not None:
            await executor.stop()
        await super().shutdown(sockets)


def serve(app: FastAPI, listening: socket.socket, heartbeat_seconds: float, lifeline: int | None = None) -> None:
    """Serve until SIGTERM or SIGINT.

    A runner that does not answer a ping within two heartbeats is disconnected.
    """
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        access_log=False,
        log_config=None,
        log_level="warning",
        lifespan="on",
        ws_ping_interval=heartbeat_seconds,
        ws_ping_timeout=heartbeat_seconds,
        ws_max_size=WEBSOCKET_BYTES,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        server_header=False,
        proxy_headers=False,
    )
    server = _Server(config)
    # Start-up leaves some 100,000 objects that live as long as the process: collecting them again and again costs
    # about a seventh of all requests per second.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    server.run(sockets=[listening])


def end_with(lifeline: int) -> None:
    """Leave in good order, as on SIGTERM, when the pipe `lifeline` is closed at its other end."""
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_watch, args=(lifeline,), name="lifeline", daemon=True).start()


def _leave(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _watch(lifeline: int) -> None:
    os.read(lifeline, 1)
    # Whoever closed it read our output too; a log line must not fail for want of a reader now.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.kill(os.getpid(), signal.SIGTERM)
