"""Tasks: functions that can be called as usual and run as durable runs of their own.

| where it is called | `def` task | `async def` task |
|---|---|---|
| outside a run | runs here, returns its value | runs here, returns a coroutine |
| inside a run, no event loop | a child run; blocks | `submit(...).result()` |
| inside a run, in an event loop | a child run; `await task(x)` | a child run; `await task(x)` |

For a `def` task called in an event loop, type checkers see the value, not the awaitable; `await task.submit(x)` is
right for both.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Self, TypeVar, cast

from skerry.children import ChildCall, Children, result_of
from skerry.contexts import ActiveRun, TaskContext, activate, active_run, loop_is_running
from skerry.handles import WAIT_SECONDS, BlockingHandle, Handle, LocalHandle, LoopHandle
from skerry.retries import Retry

if TYPE_CHECKING:
    from skerry.signatures import Signature

P = ParamSpec("P")
T = TypeVar("T")

_COROUTINE_FLAG = 0x80  # inspect.CO_COROUTINE, without importing inspect


class Task(Generic[P, T]):
    """A function made into a task. `Workflows.task` makes them.

    Attributes:
        name: its name in the workflow.
        function: the function as it was written.
        retry: its retry settings, None for the platform's default.
        timeout_seconds: how long an attempt may run, None for the platform's default.
        plan: name of its compute plan, None for the platform's default.
        concurrency_limit: how many of its runs may be carried out at once, None for no limit of its own.
    """

    __name__: str

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str,
        retry: Retry | None,
        timeout_seconds: float | None,
        plan: str | None,
        concurrency_limit: int | None = None,
    ) -> None:
        """Wrap `function`."""
        functools.update_wrapper(cast(Any, self), function)
        self.function = function
        self.name = name
        self.retry = retry
        self.timeout_seconds = timeout_seconds
        self.plan = plan
        self.concurrency_limit = concurrency_limit
        self.takes_context = takes_context(function)
        self._overrides: dict[str, Any] = {}
        self._signature: Signature | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def __reduce__(self) -> str:
        # A task pickles as the module-level name it is bound to, like the function it stands for.
        return self.function.__qualname__

    @property
    def is_async(self) -> bool:
        """Whether the function is an `async def`."""
        return isinstance(self, AsyncTask)

    @property
    def signature(self) -> Signature:
        """Its parameters and result, inspected on first use."""
        if self._signature is None:
            from skerry.signatures import Signature

            self._signature = Signature(self.name, self.function, self.takes_context)
        return self._signature

    def with_options(
        self, *, plan: str | None = None, timeout_seconds: float | None = None, retry: Retry | None = None
    ) -> Self:
        """The same task with other options for the calls made through it: `await render.with_options(plan="pro")(scene)`."""
        changed = {"plan": plan, "timeout_seconds": timeout_seconds, "retry": retry.to_socket() if retry else None}
        copy = type(self).__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy._overrides = {**self._overrides, **{key: value for key, value in changed.items() if value is not None}}
        return copy

    def submit(self, *args: P.args, **kwargs: P.kwargs) -> Handle[T]:
        """Start a child run and go on; the handle gives its result later. Children end with the run that started them."""
        run = active_run()
        if run is None or run.children is None:
            context = local_context(self.name, run)
            return LocalHandle(context.run_id, lambda: self._run_here(context, args, kwargs), self.is_async)
        if loop_is_running():
            return self._start_soon(run.children, args, kwargs)
        (run_id,) = run.children.start([self._call(run.children, args, kwargs)])
        return BlockingHandle(run.children, self.signature, run_id)

    def invoke(self, context: TaskContext, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Call the function itself, as the run that `context` describes."""
        return self.function(context, *args, **kwargs) if self.takes_context else self.function(*args, **kwargs)

    def _call(self, children: Children, args: Sequence[Any], kwargs: Mapping[str, Any]) -> ChildCall:
        payload = self.signature.encode_call(args, kwargs)
        return ChildCall(self.name, payload, self._overrides, children.next_key(self.name))

    def _start_soon(self, children: Children, args: Sequence[Any], kwargs: Mapping[str, Any]) -> LoopHandle[T]:
        return LoopHandle(children, self.signature, children.start_soon(self._call(children, args, kwargs)))

    async def _await_child(self, children: Children, args: Sequence[Any], kwargs: Mapping[str, Any]) -> T:
        from asyncio import CancelledError

        handle = self._start_soon(children, args, kwargs)
        try:
            return await handle
        except CancelledError:
            # Nobody else holds this handle: who stops waiting for `task(x)` does not want it any more.
            handle.cancel()
            raise

    def _run_here(self, context: TaskContext, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Run the function in this process; the calls it makes see that they are inside a run."""
        if args and isinstance(args[0], TaskContext) and self.takes_context:
            context, args = args[0], args[1:]
        if self.is_async:
            return self._run_here_async(context, args, kwargs)
        outer = active_run()
        activate(ActiveRun(context, None))
        try:
            return self.invoke(context, args, kwargs)
        finally:
            activate(outer)

    async def _run_here_async(self, context: TaskContext, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        outer = active_run()
        activate(ActiveRun(context, None))
        try:
            return await self.invoke(context, args, kwargs)
        finally:
            activate(outer)

    async def _in_coroutine(self, context: TaskContext, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """A `def` task called in-process by an `async def` task: awaitable there as it is in a real run."""
        return self._run_here(context, args, kwargs)


class AsyncTask(Task[P, T]):
    """A task made from an `async def`."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
        """Inside a run: a child run. Outside: the function itself."""
        run = active_run()
        if run is None or run.children is None:
            coroutine: Coroutine[Any, Any, T] = self._run_here(local_context(self.name, run), args, kwargs)
            return coroutine
        return self._await_child(run.children, args, kwargs)

    def map(self, items: Iterable[Any], *, limit: int | None = None) -> Coroutine[Any, Any, list[T]]:
        """One call per item, results in their order, at most `limit` in flight. The first failure cancels the others."""
        return _gathered([functools.partial(self, item) for item in items], _checked(limit))


class SyncTask(Task[P, T]):
    """A task made from a plain `def`."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Inside a run: a child run (awaitable in an event loop). Outside: the function itself."""
        run = active_run()
        result: Any
        if run is None or run.children is None:
            context = local_context(self.name, run)
            awaited = run is not None and loop_is_running()
            result = (self._in_coroutine if awaited else self._run_here)(context, args, kwargs)
        elif loop_is_running():
            result = self._await_child(run.children, args, kwargs)
        else:
            result = self.submit(*args, **kwargs).result()
        value: T = result
        return value

    def map(self, items: Iterable[Any], *, limit: int | None = None) -> list[T]:
        """One call per item, results in their order, at most `limit` in flight. The first failure cancels the others.

        In an event loop inside a run it is awaitable, like the task itself.
        """
        run = active_run()
        width = _checked(limit)
        result: Any
        if run is not None and loop_is_running():
            result = _gathered([functools.partial(self, item) for item in items], width)
        elif run is None or run.children is None:
            result = [self(item) for item in items]  # type: ignore[call-arg]
        else:
            result = self._map_blocking(run.children, list(items), width)
        values: list[T] = result
        return values

    def _map_blocking(self, children: Children, items: list[Any], limit: int | None) -> list[T]:
        calls = [self._call(children, (item,), {}) for item in items]
        results: list[Any] = [None] * len(calls)
        flying: dict[str, int] = {}
        sent = 0
        try:
            while sent < len(calls) or flying:
                room = len(calls) - sent if limit is None else min(limit - len(flying), len(calls) - sent)
                for run_id in children.start(calls[sent : sent + room]) if room else ():
                    flying[run_id] = sent
                    sent += 1
                for run_id, outcome in children.wait(list(flying), WAIT_SECONDS).items():
                    results[flying.pop(run_id)] = result_of(self.signature, run_id, outcome)
        except BaseException:
            for run_id in flying:
                children.cancel(run_id)
            raise
        return results


def _checked(limit: int | None) -> int | None:
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be 1 or more, got {limit}")
    return limit


async def _gathered(calls: list[Callable[[], Any]], limit: int | None) -> list[Any]:
    import asyncio

    room = asyncio.Semaphore(limit or max(1, len(calls)))

    async def one(call: Callable[[], Any]) -> Any:
        async with room:
            return await call()

    tasks = [asyncio.ensure_future(one(call)) for call in calls]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def takes_context(function: Callable[..., Any]) -> bool:
    """Whether the first parameter is annotated as TaskContext; also if annotations are text."""
    code = getattr(function, "__code__", None)
    if code is None or code.co_argcount == 0:
        return False
    annotation = getattr(function, "__annotations__", {}).get(code.co_varnames[0])
    if isinstance(annotation, str):
        return annotation.rpartition(".")[2] == TaskContext.__name__
    return annotation is TaskContext


def is_coroutine_function(function: Callable[..., Any]) -> bool:
    """Whether calling `function` gives a coroutine."""
    code = getattr(function, "__code__", None)
    return code is not None and bool(code.co_flags & _COROUTINE_FLAG)


_local_runs = 0


def local_context(task: str, parent: ActiveRun | None) -> TaskContext:
    """The context of a task that runs in this process, for example in a unit test."""
    global _local_runs
    _local_runs += 1
    run_id = f"local-{_local_runs}"
    above = parent.context if parent else None
    return TaskContext(
        task=task,
        run_id=run_id,
        root_run_id=above.root_run_id if above else run_id,
        parent_run_id=above.run_id if above else None,
        workflow=above.workflow if above else "",
        metadata=above.metadata if above else None,
    )
