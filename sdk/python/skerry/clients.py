"""Clients of the REST API: `Client` blocks, `AsyncClient` awaits; both carry out the same operations of `requests`.

```python
with Client() as client:
    run = client.runs.start("shop/send_mail", "ada@example.org")
    print(client.runs.result(run.id))
```
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, Self, TypeVar

from skerry import resources
from skerry.errors import SkerryError
from skerry.exchanges import STREAM_PAUSE_SECONDS, Settings, refusal, stream_delay
from skerry.requests.conversations import Answer, Listing, Operation, Request
from skerry.subscriptions import EventReader, Subscription

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")


class Client:
    """A blocking client. Threads may share it. Close it, or use it in a `with` statement.

    Args:
        url: the server; default SKERRY_URL, else http://127.0.0.1:8120.
        api_key: default SKERRY_API_KEY; a development server needs none.
        timeout_seconds: how long a request may take, waits not counted.
        transport: an httpx transport, for tests.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout_seconds: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Get ready; nothing is sent yet."""
        import httpx

        self._settings = Settings.resolved(url, api_key, timeout_seconds)
        self._http = httpx.Client(transport=transport, **self._settings.connection)
        self.runs = resources.Runs(self)
        self.tasks = resources.Tasks(self)
        self.workflows = resources.Workflows(self)
        self.versions = resources.Versions(self)
        self.plans = resources.Plans(self)
        self.api_keys = resources.ApiKeys(self)
        self.health = resources.Health(self)

    request = resources.blocking_request
    stream = resources.blocking_stream

    @property
    def url(self) -> str:
        """The server's address."""
        return self._settings.url

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def carry_out(self, operation: Operation[T]) -> T:
        """Send an operation's requests and give it their answers, until it returns."""
        try:
            request = next(operation)
            while True:
                try:
                    answer = self._exchange(request)
                except SkerryError as error:
                    request = operation.throw(error)
                else:
                    request = operation.send(answer)
        except StopIteration as stop:
            value: T = stop.value
            return value

    def _exchange(self, request: Request) -> Answer:
        import httpx

        tries = 0
        while True:
            tries += 1
            try:
                outcome = self._settings.decide(request, tries, self._http.request(**self._settings.arguments(request)))
            except httpx.TransportError as error:
                outcome = self._settings.decide_failure(request, tries, error)
            if isinstance(outcome, Answer):
                return outcome
            time.sleep(outcome)

    def pages(self, listing: Listing, limit: int | None) -> Iterator[Any]:
        """All items of a list, at most `limit`; pages are fetched as they are needed."""
        cursor, left = None, limit
        while left is None or left > 0:
            page = self.carry_out(listing(cursor))
            yield from page.items[:left]
            left = None if left is None else left - len(page.items)
            cursor = page.cursor
            if cursor is None:
                return

    def subscribe(self, subscription: Subscription[T]) -> Iterator[T]:
        """Everything a subscription makes of its events."""
        import httpx

        failures = 0
        while not subscription.is_done():
            try:
                with self._http.stream("GET", subscription.path, **self._settings.stream(subscription)) as response:
                    if not response.is_success:
                        response.read()
                        raise refusal(response)
                    reader = EventReader()
                    for line in response.iter_lines():
                        failures = 0
                        event = reader.feed(line)
                        if event is not None:
                            yield from subscription.receive(event)
                        if subscription.is_done():
                            return
                if self.carry_out(subscription.over()):
                    return
                time.sleep(STREAM_PAUSE_SECONDS)
            except httpx.TransportError as error:
                failures += 1
                time.sleep(stream_delay(self._settings.failure(error), failures))


class AsyncClient:
    """The client for event loops: the methods of `Client`, awaited; lists and streams are async iterators.

    Args:
        url: the server; default SKERRY_URL, else http://127.0.0.1:8120.
        api_key: default SKERRY_API_KEY; a development server needs none.
        timeout_seconds: how long a request may take, waits not counted.
        transport: an httpx transport, for tests.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout_seconds: float = 30.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Get ready; nothing is sent yet."""
        import httpx

        self._settings = Settings.resolved(url, api_key, timeout_seconds)
        self._http = httpx.AsyncClient(transport=transport, **self._settings.connection)
        self.runs = resources.AsyncRuns(self)
        self.tasks = resources.AsyncTasks(self)
        self.workflows = resources.AsyncWorkflows(self)
        self.versions = resources.AsyncVersions(self)
        self.plans = resources.AsyncPlans(self)
        self.api_keys = resources.AsyncApiKeys(self)
        self.health = resources.AsyncHealth(self)

    request = resources.awaited_request
    stream = resources.awaited_stream

    @property
    def url(self) -> str:
        """The server's address."""
        return self._settings.url

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def carry_out(self, operation: Operation[T]) -> T:
        """Send an operation's requests and give it their answers, until it returns."""
        try:
            request = next(operation)
            while True:
                try:
                    answer = await self._exchange(request)
                except SkerryError as error:
                    request = operation.throw(error)
                else:
                    request = operation.send(answer)
        except StopIteration as stop:
            value: T = stop.value
            return value

    async def _exchange(self, request: Request) -> Answer:
        import asyncio

        import httpx

        tries = 0
        while True:
            tries += 1
            try:
                response = await self._http.request(**self._settings.arguments(request))
                outcome = self._settings.decide(request, tries, response)
            except httpx.TransportError as error:
                outcome = self._settings.decide_failure(request, tries, error)
            if isinstance(outcome, Answer):
                return outcome
            await asyncio.sleep(outcome)

    async def pages(self, listing: Listing, limit: int | None) -> AsyncIterator[Any]:
        """All items of a list, at most `limit`; pages are fetched as they are needed."""
        cursor, left = None, limit
        while left is None or left > 0:
            page = await self.carry_out(listing(cursor))
            for item in page.items[:left]:
                yield item
            left = None if left is None else left - len(page.items)
            cursor = page.cursor
            if cursor is None:
                return

    async def subscribe(self, subscription: Subscription[T]) -> AsyncIterator[T]:
        """Everything a subscription makes of its events."""
        import asyncio

        import httpx

        failures = 0
        while not subscription.is_done():
            try:
                stream = self._http.stream("GET", subscription.path, **self._settings.stream(subscription))
                async with stream as response:
                    if not response.is_success:
                        await response.aread()
                        raise refusal(response)
                    reader = EventReader()
                    async for line in response.aiter_lines():
                        failures = 0
                        event = reader.feed(line)
                        for item in subscription.receive(event) if event is not None else ():
                            yield item
                        if subscription.is_done():
                            return
                if await self.carry_out(subscription.over()):
                    return
                await asyncio.sleep(STREAM_PAUSE_SECONDS)
            except httpx.TransportError as error:
                failures += 1
                await asyncio.sleep(stream_delay(self._settings.failure(error), failures))
