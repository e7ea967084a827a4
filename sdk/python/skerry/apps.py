"""A workflow's tasks: `app = Workflows()`, `@app.task`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

from skerry.contexts import TaskContext
from skerry.retries import Retry
from skerry.tasks import AsyncTask, SyncTask, Task, is_coroutine_function

P = ParamSpec("P")
T = TypeVar("T")


class TaskDecorator(Protocol):
    """What `@app.task(...)` with options is: a decorator that keeps parameters and result."""

    # A coroutine function also fits the overloads below; the first that fits is meant.
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, function: Callable[Concatenate[TaskContext, P], Coroutine[Any, Any, T]]
    ) -> AsyncTask[P, T]: ...
    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, T]]) -> AsyncTask[P, T]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, function: Callable[Concatenate[TaskContext, P], T]) -> SyncTask[P, T]: ...
    @overload
    def __call__(self, function: Callable[P, T]) -> SyncTask[P, T]: ...


class Workflows:
    """The tasks of one workflow.

    ```python
    app = Workflows(default_plan="standard")

    @app.task
    async def greet(name: str) -> str:
        return f"Hello, {name}!"
    ```

    Attributes:
        name: a name for people; None if there is none.
    """

    def __init__(
        self,
        *,
        default_plan: str | None = None,
        default_retry: Retry | None = None,
        default_timeout_seconds: float | None = None,
        name: str | None = None,
    ) -> None:
        """Start without tasks. The defaults are for tasks that do not say otherwise."""
        self.name = name
        self._default_plan = default_plan
        self._default_retry = default_retry
        self._default_timeout_seconds = default_timeout_seconds
        self._tasks: dict[str, Task[..., Any]] = {}

    @classmethod
    def from_workflows(cls, *apps: Workflows, name: str | None = None) -> Workflows:
        """All tasks of `apps` in one.

        Raises:
            ValueError: two of them have a task of the same name.
        """
        merged = cls(name=name)
        for app in apps:
            for task in app:
                merged._add(task)
        return merged

    @property
    def tasks(self) -> Mapping[str, Task[..., Any]]:
        """The tasks by name, in the order they were written."""
        return MappingProxyType(self._tasks)

    def __iter__(self) -> Iterator[Task[..., Any]]:
        return iter(self._tasks.values())

    def __repr__(self) -> str:
        return f"<Workflows {', '.join(self._tasks) or 'without tasks'}>"

    @overload
    def task(  # type: ignore[overload-overlap]
        self, function: Callable[Concatenate[TaskContext, P], Coroutine[Any, Any, T]], /
    ) -> AsyncTask[P, T]: ...
    @overload
    def task(self, function: Callable[P, Coroutine[Any, Any, T]], /) -> AsyncTask[P, T]: ...  # type: ignore[overload-overlap]
    @overload
    def task(self, function: Callable[Concatenate[TaskContext, P], T], /) -> SyncTask[P, T]: ...
    @overload
    def task(self, function: Callable[P, T], /) -> SyncTask[P, T]: ...
    @overload
    def task(
        self,
        /,
        *,
        name: str | None = None,
        retry: Retry | None = None,
        timeout_seconds: float | None = None,
        plan: str | None = None,
        concurrency_limit: int | None = None,
    ) -> TaskDecorator: ...

    def task(
        self,
        function: Any = None,
        /,
        *,
        name: str | None = None,
        retry: Retry | None = None,
        timeout_seconds: float | None = None,
        plan: str | None = None,
        concurrency_limit: int | None = None,
    ) -> Any:
        """Make a function a task: `@app.task` or `@app.task(name=…, retry=…, timeout_seconds=…, plan=…)`.

        With a `concurrency_limit`, so many of the task's runs are carried out at once and the others wait in the queue: for
        what lies behind the task and bears no more, such as a rate-limited API. A run that only waits for its children is
        not counted.

        Raises:
            ValueError: there is a task of this name already, or the limit is less than 1.
        """
        if concurrency_limit is not None and concurrency_limit < 1:
            raise ValueError(f"concurrency_limit must be at least 1, got {concurrency_limit}")

        def decorate(undecorated: Callable[..., Any]) -> Task[..., Any]:
            kind: type[Task[..., Any]] = AsyncTask if is_coroutine_function(undecorated) else SyncTask
            task = kind(
                undecorated,
                name=name or undecorated.__name__,
                retry=retry or self._default_retry,
                timeout_seconds=self._default_timeout_seconds if timeout_seconds is None else timeout_seconds,
                plan=plan or self._default_plan,
                concurrency_limit=concurrency_limit,
            )
            return self._add(task)

        return decorate if function is None else decorate(function)

    def _add(self, task: Task[..., Any]) -> Task[..., Any]:
        known = self._tasks.get(task.name)
        if known is not None and known is not task:
            raise ValueError(
                f"there are two tasks named {task.name!r}: {_where(known)} and {_where(task)}; give one `name=…`"
            )
        self._tasks[task.name] = task
        return task


def _where(task: Task[..., Any]) -> str:
    code = getattr(task.function, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(task.function)
