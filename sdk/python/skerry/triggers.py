"""Starting runs from anywhere: `await workflows.generation_loop("…", "u1")`.

The workflow is the one named in SKERRY_WORKFLOW, or `workflows["slug"]`. Calling sends the request: in an event loop
in the background, elsewhere at once. What comes back is a handle: `await` it, or call `result()`.
"""

from __future__ import annotations

import dataclasses
import os
import weakref
from collections.abc import Generator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from skerry.clients import AsyncClient, Client
from skerry.contexts import loop_is_running
from skerry.errors import ConfigurationError, OutsideRun
from skerry.handles import Handle
from skerry.models import Run
from skerry.requests.runs import RunRequest, trigger_run
from skerry.retries import Retry

if TYPE_CHECKING:
    import asyncio


class Trigger:
    """One task of a deployed workflow; calling it starts a run."""

    def __init__(self, request: RunRequest) -> None:
        """Start runs like `request`."""
        self._request = request

    def __repr__(self) -> str:
        return f"<Trigger {self._request.task!r}>"

    def with_options(
        self,
        *,
        idempotency_key: str | None = None,
        plan: str | None = None,
        timeout_seconds: float | None = None,
        retry: Retry | None = None,
        priority: int | None = None,
        delay_seconds: float | None = None,
        run_at: datetime | None = None,
        tags: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
    ) -> Trigger:
        """The same task, started with these options (see `skerry.RunRequest`)."""
        return Trigger(
            dataclasses.replace(
                self._request,
                idempotency_key=idempotency_key,
                plan=plan,
                timeout_seconds=timeout_seconds,
                retry=retry,
                priority=priority,
                delay_seconds=delay_seconds,
                run_at=run_at,
                tags=tags,
                metadata=metadata or {},
            )
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Handle[Any]:
        """Start a run with these arguments, by position or by name."""
        if args and kwargs:
            raise TypeError(
                f"{self._request.task}: give arguments by position or by name, not both; their order is not known here"
            )
        request = dataclasses.replace(self._request, input=kwargs or args)
        return LoopTrigger(request) if loop_is_running() else BlockingTrigger(request)


class BlockingTrigger(Handle[Any]):
    """A run that was triggered without an event loop."""

    def __init__(self, request: RunRequest) -> None:
        """Start the run."""
        self._run = _clients.blocking().carry_out(trigger_run(request))

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._run.id

    async def started(self) -> str:
        """The run's id, at once."""
        return self._run.id

    def __await__(self) -> Generator[Any, None, Any]:
        return _clients.of_loop().runs.result(self._run.id).__await__()

    def result(self, timeout_seconds: float | None = None) -> Any:
        """Block until the result is there."""
        return _clients.blocking().runs.result(self._run.id, timeout_seconds)

    def cancel(self) -> None:
        """Cancel the run."""
        _clients.blocking().runs.cancel(self._run.id)


class LoopTrigger(Handle[Any]):
    """A run that was triggered in an event loop."""

    def __init__(self, request: RunRequest) -> None:
        """Start the run in the background."""
        import asyncio

        self._client = _clients.of_loop()
        self._started: asyncio.Future[Run] = asyncio.ensure_future(self._client.carry_out(trigger_run(request)))
        self._canceling: asyncio.Future[None] | None = None

    @property
    def run_id(self) -> str:
        """The run's id, once it is known."""
        if not self._started.done():
            raise OutsideRun("the run has no id yet; `await handle.started()` first")
        return self._started.result().id

    async def started(self) -> str:
        """Wait until the server accepted the run; its id."""
        import asyncio

        return (await asyncio.shield(self._started)).id

    def __await__(self) -> Generator[Any, None, Any]:
        return self._wait().__await__()

    async def _wait(self) -> Any:
        return await self._client.runs.result(await self.started())

    def result(self, timeout_seconds: float | None = None) -> Any:
        """Not in the event loop; from a thread, once the run has an id."""
        if loop_is_running():
            raise OutsideRun("result() would block the event loop; use `await handle`")
        return _clients.blocking().runs.result(self.run_id, timeout_seconds)

    def cancel(self) -> None:
        """Cancel the run in the background."""
        import asyncio

        self._canceling = asyncio.ensure_future(self._cancel())

    async def _cancel(self) -> None:
        await self._client.runs.cancel(await self.started())


class _Clients:
    """The clients behind triggers: one per process, and one per event loop."""

    def __init__(self) -> None:
        self._blocking: tuple[int, Client] | None = None
        self._of_loops: weakref.WeakKeyDictionary[Any, AsyncClient] = weakref.WeakKeyDictionary()

    def blocking(self) -> Client:
        # A forked process must not share its parent's connections.
        if self._blocking is None or self._blocking[0] != os.getpid():
            self._blocking = (os.getpid(), Client())
        return self._blocking[1]

    def of_loop(self) -> AsyncClient:
        import asyncio

        loop = asyncio.get_running_loop()
        if loop not in self._of_loops:
            self._of_loops[loop] = AsyncClient()
        return self._of_loops[loop]


_clients = _Clients()


class WorkflowTriggers:
    """The tasks of one deployed workflow, as attributes; `["name"]` for names that are none."""

    def __init__(self, slug: str) -> None:
        """Mean the workflow `slug`."""
        self._slug = slug

    def __repr__(self) -> str:
        return f"<WorkflowTriggers {self._slug!r}>"

    def __getitem__(self, task: str) -> Trigger:
        return Trigger(RunRequest(f"{self._slug}/{task}"))

    def __getattr__(self, task: str) -> Trigger:
        if task.startswith("__"):
            raise AttributeError(task)
        return self[task]


class DeployedWorkflows:
    """`workflows`: tasks of the workflow SKERRY_WORKFLOW as attributes, other workflows by `["slug"]`."""

    def __getitem__(self, slug: str) -> WorkflowTriggers:
        return WorkflowTriggers(slug)

    def __getattr__(self, task: str) -> Trigger:
        if task.startswith("__"):
            raise AttributeError(task)
        slug = os.environ.get("SKERRY_WORKFLOW")
        if not slug:
            raise ConfigurationError(
                f"workflows.{task} needs to know the workflow: set SKERRY_WORKFLOW, or write workflows['slug'].{task}"
            )
        return WorkflowTriggers(slug)[task]


workflows = DeployedWorkflows()
