"""kopf's part: it follows our own kinds, and tells what it hears. Nothing is decided or written here.

It runs in a thread with a loop of its own. kopf takes every task of its loop for its own and cancels them all when it
ends, and reading thousands of objects must not keep the Lease from being renewed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from typing import Any, Final

import aiohttp
import kopf
import structlog
import uvloop

from skerry_objects import names
from skerry_objects.configurations import Configuration
from skerry_operator.clusters import RESOURCES
from skerry_operator.stores import Kind

log = structlog.get_logger(__name__)

Json = dict[str, Any]
Event = tuple[Kind, str | None, Mapping[str, Any]]
CHUNK: Final = 200
REQUEST_SECONDS: Final = 30.0
# kopf has a task for each object, and that task the object as it came last: not for longer than a change takes.
IDLE_SECONDS: Final = 0.1
FAREWELL_SECONDS: Final = 3.0
BACK_OFFS: Final = (0.5, 1.0, 2.0, 4.0, 4.0)
_KOPFS_METADATA: Final = ("namespace", "name", "uid", "resourceVersion", "deletionTimestamp")


class _NoDiffBase(kopf.DiffBaseStorage):
    """Nothing is compared, so nothing is copied or stored."""

    def build(self, *, body: Any, extra_fields: Any = None) -> Any:
        return {}

    def fetch(self, *, body: Any) -> Any:
        return None

    def store(self, *, body: Any, patch: Any, essence: Any) -> None:
        """Nothing is stored on objects."""


class _NoProgress(kopf.ProgressStorage):
    """Handlers are done at once, so there is no progress to store."""

    def fetch(self, *, key: Any, body: Any) -> Any:
        return None

    def store(self, *, key: Any, record: Any, body: Any, patch: Any) -> None:
        """Nothing is stored on objects."""

    def purge(self, *, key: Any, body: Any, patch: Any) -> None:
        """Nothing is stored on objects."""

    def touch(self, *, body: Any, patch: Any, value: Any) -> None:
        """Nothing is stored on objects."""

    def clear(self, *, essence: Any) -> Any:
        return essence


class Ear:
    """Carries events from kopf's thread to our loop, many at a time."""

    def __init__(self, tell: Callable[[list[Event]], None]) -> None:
        """Call `tell` in the loop that is running now."""
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._events: deque[Event] = deque()

    def hear(self, event: Event) -> None:
        """Take an event, in kopf's thread."""
        self._events.append(event)
        if len(self._events) == 1:
            with contextlib.suppress(RuntimeError):  # The loop ended first: nobody listens any more.
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        events = []
        with contextlib.suppress(IndexError):
            while True:
                events.append(self._events.popleft())
        self._tell(events)


async def follow(configuration: Configuration, namespace: str, tell: Callable[[list[Event]], None]) -> None:
    """Follow TaskRuns and RunnerPools until cancelled; return when one of the watches gave up."""
    stop, over = threading.Event(), asyncio.Event()
    loop, ear = asyncio.get_running_loop(), Ear(tell)

    def give_up() -> None:
        with contextlib.suppress(RuntimeError):  # The loop ended first: nobody waits any more.
            loop.call_soon_threadsafe(over.set)

    def run() -> None:
        try:
            uvloop.run(_operate(configuration, namespace, ear, stop, give_up))
        except Exception:
            log.exception("watches_failed")
        finally:
            give_up()

    # A daemon: should kopf not end, the process still does.
    thread = threading.Thread(target=run, name="kopf", daemon=True)
    thread.start()
    try:
        await over.wait()
    finally:
        stop.set()
        await asyncio.to_thread(thread.join, FAREWELL_SECONDS)


async def _operate(
    configuration: Configuration, namespace: str, ear: Ear, stop: threading.Event, give_up: Callable[[], None]
) -> None:
    asyncio.get_running_loop().set_exception_handler(_warn)
    async with _session(configuration) as session:
        parts = await kopf.spawn_tasks(
            registry=_registry(configuration, namespace, session, ear.hear),
            settings=_settings(),
            namespaces=[namespace],
            standalone=True,
            stop_flag=stop,
        )
        try:
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            give_up()
            # kopf waits for the flag in a thread of its own, which would keep this one from ending.
            stop.set()
            await _end()
        for part in done:
            part.result()


def _warn(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Tell in a line of a task that nobody waited for: watches fail together, and kopf looks at the first of them."""
    log.warning("watch_failed", error=repr(context.get("exception") or context["message"]))


async def _end() -> None:
    """Cancel all tasks but this one.

    kopf's own end gives watches that still run five seconds more, and cancels each only once: one that was just about to
    connect again goes on for ever then (`streaming_block` of kopf 1.45 swallows it). What is left here is cancelled once
    more when the loop ends.
    """
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=FAREWELL_SECONDS / 2)


def _registry(
    configuration: Configuration, namespace: str, session: aiohttp.ClientSession, hear: Callable[[Event], None]
) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.AiohttpSession:
        return kopf.AiohttpSession(server=configuration.server, aiohttp_session=session, default_namespace=namespace)

    def listen(kind: Kind) -> None:
        @kopf.on.event(names.GROUP, names.VERSION, RESOURCES[kind].plural, registry=registry, id=kind.lower())
        async def changed(event: Any, **_: Any) -> None:
            hear((kind, event["type"], _taken(event["object"])))

    listen(Kind.TASK_RUN)
    listen(Kind.RUNNER_POOL)
    return registry


def _taken(item: Json) -> Json:
    """An object, of which kopf is left what it needs until the event is over.

    Its views of an object refer to each other (`Body` and `Meta` of kopf 1.45), so that only the collector frees them: with
    all parts of thousands of objects that was an eighth of the operator's time, and pauses of 50 to 200 ms.
    """
    whole = dict(item)
    item.clear()
    item["metadata"] = {name: whole["metadata"][name] for name in _KOPFS_METADATA if name in whole["metadata"]}
    return whole


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.process.ultimate_exiting_timeout = None
    settings.persistence.diffbase_storage = _NoDiffBase()
    settings.persistence.progress_storage = _NoProgress()
    settings.watching.chunk_size = CHUNK
    settings.queueing.idle_timeout = IDLE_SECONDS
    settings.networking.request_timeout = REQUEST_SECONDS
    settings.networking.connect_timeout = REQUEST_SECONDS
    settings.networking.error_backoffs = BACK_OFFS
    return settings


@contextlib.asynccontextmanager
async def _session(configuration: Configuration) -> AsyncIterator[aiohttp.ClientSession]:
    async def authorize(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        # Read again for every request: the cluster replaces a service account's token every hour.
        request.headers.update(configuration.authorization())
        return await handler(request)

    connector = aiohttp.TCPConnector(limit=0, ssl=configuration.tls or True)
    async with aiohttp.ClientSession(connector=connector, middlewares=(authorize,)) as session:
        yield session


def quiet(loggers: Collection[str] = ("kopf", "asyncio")) -> None:
    """Let kopf log what went wrong, and not each event."""
    for name in loggers:
        logging.getLogger(name).setLevel(logging.WARNING)
    # It cannot have the process's signals in its thread, and need not.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
