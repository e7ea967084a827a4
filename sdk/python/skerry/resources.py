"""The methods of the clients, grouped by noun. Each is one operation of `requests`; only how it is carried out differs."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from skerry import models, requests, subscriptions
from skerry.requests import Listing, Operation
from skerry.subscriptions import Subscription

if TYPE_CHECKING:
    from skerry.clients import AsyncClient, Client

P = ParamSpec("P")
T = TypeVar("T")


class Resource:
    """A group of methods of a blocking client."""

    def __init__(self, client: Client) -> None:
        """Use `client`."""
        self.client = client


class AsyncResource:
    """A group of methods of an async client."""

    def __init__(self, client: AsyncClient) -> None:
        """Use `client`."""
        self.client = client


def _client_of(owner: Any) -> Any:
    return getattr(owner, "client", owner)


class Blocking(Generic[P, T]):
    """A method that carries out `operation` and returns its value."""

    def __init__(self, operation: Callable[P, Operation[T]]) -> None:
        """Make the method."""
        self._operation = operation

    def __get__(self, owner: Any, kind: type) -> Callable[P, T]:
        @functools.wraps(self._operation)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            value: T = _client_of(owner).carry_out(self._operation(*args, **kwargs))
            return value

        return call


class Awaited(Generic[P, T]):
    """A coroutine method that carries out `operation`."""

    def __init__(self, operation: Callable[P, Operation[T]]) -> None:
        """Make the method."""
        self._operation = operation

    def __get__(self, owner: Any, kind: type) -> Callable[P, Coroutine[Any, Any, T]]:
        @functools.wraps(self._operation)
        def call(*args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
            coroutine: Coroutine[Any, Any, T] = _client_of(owner).carry_out(self._operation(*args, **kwargs))
            return coroutine

        return call


class BlockingPages(Generic[P, T]):
    """A method that iterates over a list, page by page."""

    def __init__(self, listing: Callable[P, Listing], item: type[T]) -> None:
        """Make the method for lists of `item`."""
        self._listing = listing

    def __get__(self, owner: Any, kind: type) -> Callable[P, Iterator[T]]:
        @functools.wraps(self._listing)
        def call(*args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
            items: Iterator[T] = _client_of(owner).pages(self._listing(*args, **kwargs), kwargs.get("limit"))
            return items

        return call


class AwaitedPages(Generic[P, T]):
    """A method that iterates over a list asynchronously, page by page."""

    def __init__(self, listing: Callable[P, Listing], item: type[T]) -> None:
        """Make the method for lists of `item`."""
        self._listing = listing

    def __get__(self, owner: Any, kind: type) -> Callable[P, AsyncIterator[T]]:
        @functools.wraps(self._listing)
        def call(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
            items: AsyncIterator[T] = _client_of(owner).pages(self._listing(*args, **kwargs), kwargs.get("limit"))
            return items

        return call


class BlockingStream(Generic[P, T]):
    """A method that iterates over a stream of events."""

    def __init__(self, subscription: Callable[P, Subscription[T]]) -> None:
        """Make the method."""
        self._subscription = subscription

    def __get__(self, owner: Any, kind: type) -> Callable[P, Iterator[T]]:
        @functools.wraps(self._subscription)
        def call(*args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
            items: Iterator[T] = _client_of(owner).subscribe(self._subscription(*args, **kwargs))
            return items

        return call


class AwaitedStream(Generic[P, T]):
    """A method that iterates over a stream of events asynchronously."""

    def __init__(self, subscription: Callable[P, Subscription[T]]) -> None:
        """Make the method."""
        self._subscription = subscription

    def __get__(self, owner: Any, kind: type) -> Callable[P, AsyncIterator[T]]:
        @functools.wraps(self._subscription)
        def call(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
            items: AsyncIterator[T] = _client_of(owner).subscribe(self._subscription(*args, **kwargs))
            return items

        return call


blocking_request = Blocking(requests.any_request)
awaited_request = Awaited(requests.any_request)
blocking_stream = BlockingStream(subscriptions.any_events)
awaited_stream = AwaitedStream(subscriptions.any_events)


class Runs(Resource):
    """Runs: start, look at, wait for, cancel."""

    start = Blocking(requests.start_run)
    create = Blocking(requests.create_run)
    create_batch = Blocking(requests.create_runs)
    get = Blocking(requests.get_run)
    wait = Blocking(requests.wait_for_run)
    result = Blocking(requests.run_result)
    list = BlockingPages(requests.list_runs, models.Run)
    cancel = Blocking(requests.cancel_run)
    retry = Blocking(requests.retry_run)
    tree = Blocking(requests.run_tree)
    logs = BlockingPages(requests.run_logs, models.LogLine)
    follow_logs = BlockingStream(subscriptions.followed_logs)
    events = BlockingStream(subscriptions.finished_runs)


class AsyncRuns(AsyncResource):
    """Runs: start, look at, wait for, cancel."""

    start = Awaited(requests.start_run)
    create = Awaited(requests.create_run)
    create_batch = Awaited(requests.create_runs)
    get = Awaited(requests.get_run)
    wait = Awaited(requests.wait_for_run)
    result = Awaited(requests.run_result)
    list = AwaitedPages(requests.list_runs, models.Run)
    cancel = Awaited(requests.cancel_run)
    retry = Awaited(requests.retry_run)
    tree = Awaited(requests.run_tree)
    logs = AwaitedPages(requests.run_logs, models.LogLine)
    follow_logs = AwaitedStream(subscriptions.followed_logs)
    events = AwaitedStream(subscriptions.finished_runs)


class Tasks(Resource):
    """Registered tasks."""

    list = BlockingPages(requests.list_tasks, models.RegisteredTask)
    get = Blocking(requests.get_task)


class AsyncTasks(AsyncResource):
    """Registered tasks."""

    list = AwaitedPages(requests.list_tasks, models.RegisteredTask)
    get = Awaited(requests.get_task)


class Workflows(Resource):
    """Workflows."""

    list = BlockingPages(requests.list_workflows, models.Workflow)
    create = Blocking(requests.create_workflow)
    get = Blocking(requests.get_workflow)
    update = Blocking(requests.update_workflow)
    delete = Blocking(requests.delete_workflow)


class AsyncWorkflows(AsyncResource):
    """Workflows."""

    list = AwaitedPages(requests.list_workflows, models.Workflow)
    create = Awaited(requests.create_workflow)
    get = Awaited(requests.get_workflow)
    update = Awaited(requests.update_workflow)
    delete = Awaited(requests.delete_workflow)


class Versions(Resource):
    """Versions of workflows."""

    list = BlockingPages(requests.list_versions, models.WorkflowVersion)
    get = Blocking(requests.get_version)


class AsyncVersions(AsyncResource):
    """Versions of workflows."""

    list = AwaitedPages(requests.list_versions, models.WorkflowVersion)
    get = Awaited(requests.get_version)


class Plans(Resource):
    """Compute plans."""

    list = Blocking(requests.list_plans)


class AsyncPlans(AsyncResource):
    """Compute plans."""

    list = Awaited(requests.list_plans)


class ApiKeys(Resource):
    """API keys; needs the scope `admin`."""

    create = Blocking(requests.create_api_key)
    list = BlockingPages(requests.list_api_keys, models.ApiKey)
    revoke = Blocking(requests.revoke_api_key)


class AsyncApiKeys(AsyncResource):
    """API keys; needs the scope `admin`."""

    create = Awaited(requests.create_api_key)
    list = AwaitedPages(requests.list_api_keys, models.ApiKey)
    revoke = Awaited(requests.revoke_api_key)


class Health(Resource):
    """Whether the server is there."""

    live = Blocking(requests.is_live)
    ready = Blocking(requests.is_ready)


class AsyncHealth(AsyncResource):
    """Whether the server is there."""

    live = Awaited(requests.is_live)
    ready = Awaited(requests.is_ready)
