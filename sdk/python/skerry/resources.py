"""The methods of the clients, grouped by noun. Each is one operation of `requests`; only how it is carried out differs."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from skerry import models, subscriptions
from skerry.requests import conversations, deployments, installations, runs
from skerry.requests.conversations import Listing, Operation
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


blocking_request = Blocking(conversations.any_request)
awaited_request = Awaited(conversations.any_request)
blocking_stream = BlockingStream(subscriptions.any_events)
awaited_stream = AwaitedStream(subscriptions.any_events)


class Runs(Resource):
    """Runs: start, look at, wait for, cancel."""

    start = Blocking(runs.start_run)
    create = Blocking(runs.create_run)
    create_batch = Blocking(runs.create_runs)
    get = Blocking(runs.get_run)
    wait = Blocking(runs.wait_for_run)
    result = Blocking(runs.run_result)
    list = BlockingPages(runs.list_runs, models.Run)
    cancel = Blocking(runs.cancel_run)
    retry = Blocking(runs.retry_run)
    tree = Blocking(runs.run_tree)
    logs = BlockingPages(runs.run_logs, models.LogLine)
    follow_logs = BlockingStream(subscriptions.followed_logs)
    events = BlockingStream(subscriptions.finished_runs)


class AsyncRuns(AsyncResource):
    """Runs: start, look at, wait for, cancel."""

    start = Awaited(runs.start_run)
    create = Awaited(runs.create_run)
    create_batch = Awaited(runs.create_runs)
    get = Awaited(runs.get_run)
    wait = Awaited(runs.wait_for_run)
    result = Awaited(runs.run_result)
    list = AwaitedPages(runs.list_runs, models.Run)
    cancel = Awaited(runs.cancel_run)
    retry = Awaited(runs.retry_run)
    tree = Awaited(runs.run_tree)
    logs = AwaitedPages(runs.run_logs, models.LogLine)
    follow_logs = AwaitedStream(subscriptions.followed_logs)
    events = AwaitedStream(subscriptions.finished_runs)


class Tasks(Resource):
    """Registered tasks."""

    list = BlockingPages(deployments.list_tasks, models.RegisteredTask)
    get = Blocking(deployments.get_task)


class AsyncTasks(AsyncResource):
    """Registered tasks."""

    list = AwaitedPages(deployments.list_tasks, models.RegisteredTask)
    get = Awaited(deployments.get_task)


class Workflows(Resource):
    """Workflows."""

    list = BlockingPages(deployments.list_workflows, models.Workflow)
    create = Blocking(deployments.create_workflow)
    get = Blocking(deployments.get_workflow)
    update = Blocking(deployments.update_workflow)
    delete = Blocking(deployments.delete_workflow)


class AsyncWorkflows(AsyncResource):
    """Workflows."""

    list = AwaitedPages(deployments.list_workflows, models.Workflow)
    create = Awaited(deployments.create_workflow)
    get = Awaited(deployments.get_workflow)
    update = Awaited(deployments.update_workflow)
    delete = Awaited(deployments.delete_workflow)


class Versions(Resource):
    """Versions of workflows."""

    list = BlockingPages(deployments.list_versions, models.WorkflowVersion)
    get = Blocking(deployments.get_version)


class AsyncVersions(AsyncResource):
    """Versions of workflows."""

    list = AwaitedPages(deployments.list_versions, models.WorkflowVersion)
    get = Awaited(deployments.get_version)


class Plans(Resource):
    """Compute plans."""

    list = Blocking(deployments.list_plans)


class AsyncPlans(AsyncResource):
    """Compute plans."""

    list = Awaited(deployments.list_plans)


class ApiKeys(Resource):
    """API keys; needs the scope `admin`."""

    create = Blocking(installations.create_api_key)
    list = BlockingPages(installations.list_api_keys, models.ApiKey)
    revoke = Blocking(installations.revoke_api_key)


class AsyncApiKeys(AsyncResource):
    """API keys; needs the scope `admin`."""

    create = Awaited(installations.create_api_key)
    list = AwaitedPages(installations.list_api_keys, models.ApiKey)
    revoke = Awaited(installations.revoke_api_key)


class Health(Resource):
    """Whether the server is there."""

    live = Blocking(installations.is_live)
    ready = Blocking(installations.is_ready)


class AsyncHealth(AsyncResource):
    """Whether the server is there."""

    live = Awaited(installations.is_live)
    ready = Awaited(installations.is_ready)
