"""What a task can know about the run it is part of."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from skerry.errors import OutsideRun

if TYPE_CHECKING:
    import logging
    from datetime import datetime

    from skerry.children import Children


class TaskContext:
    """One attempt of one run. A task gets it as its first parameter if that is annotated so, or from `skerry.context()`.

    Attributes:
        workflow: slug of the workflow.
        task: name of the task.
        run_id: the run; the same for all its attempts.
        root_run_id: the run at the top of the tree; of a root run, itself.
        parent_run_id: the run that called this one, None for a root run.
        attempt_id: this attempt.
        attempt_number: 1 for the first try, 2 for the first retry, and so on.
        timeout_seconds: how long an attempt may run, None if unknown.
        metadata: what the trigger attached to the run.
        traceparent: W3C trace context of the run, None if it is not traced.
        plan: name of the compute plan, None if unknown.
    """

    __slots__ = (
        "_deadline",
        "attempt_id",
        "attempt_number",
        "metadata",
        "parent_run_id",
        "plan",
        "root_run_id",
        "run_id",
        "task",
        "timeout_seconds",
        "traceparent",
        "workflow",
    )

    def __init__(
        self,
        *,
        task: str,
        run_id: str,
        workflow: str = "",
        root_run_id: str = "",
        parent_run_id: str | None = None,
        attempt_id: str = "",
        attempt_number: int = 1,
        deadline: str | None = None,
        timeout_seconds: float | None = None,
        metadata: Mapping[str, Any] | None = None,
        traceparent: str | None = None,
        plan: str | None = None,
    ) -> None:
        """Describe the attempt; `deadline` is RFC 3339."""
        self.workflow = workflow
        self.task = task
        self.run_id = run_id
        self.root_run_id = root_run_id or run_id
        self.parent_run_id = parent_run_id or None
        self.attempt_id = attempt_id
        self.attempt_number = attempt_number
        self._deadline = deadline
        self.timeout_seconds = timeout_seconds
        self.metadata: Mapping[str, Any] = metadata or {}
        self.traceparent = traceparent
        self.plan = plan

    @classmethod
    def from_assignment(cls, assignment: Mapping[str, Any]) -> TaskContext:
        """The context for a runner's answer to `GET /input`. Only `task_name` must be there."""
        get = assignment.get
        plan = get("plan")
        return cls(
            workflow=get("workflow") or "",
            task=assignment["task_name"],
            run_id=get("task_run_id") or "",
            root_run_id=get("root_task_run_id") or "",
            parent_run_id=get("parent_task_run_id"),
            attempt_id=get("attempt") or "",
            attempt_number=get("attempt_number") or 1,
            deadline=get("deadline"),
            timeout_seconds=get("timeout_seconds"),
            metadata=get("metadata"),
            traceparent=get("traceparent"),
            plan=plan.get("name") if isinstance(plan, dict) else plan,
        )

    @property
    def deadline(self) -> datetime | None:
        """When this attempt is stopped, in UTC; None if unknown."""
        from datetime import datetime

        return datetime.fromisoformat(self._deadline) if self._deadline else None

    @property
    def remaining_seconds(self) -> float | None:
        """Seconds until the deadline, never below 0; None if unknown."""
        from datetime import UTC, datetime

        deadline = self.deadline
        return None if deadline is None else max(0.0, (deadline - datetime.now(UTC)).total_seconds())

    @property
    def logger(self) -> logging.Logger:
        """The logger `skerry.task.<name>`. Unless the program set up logging itself, it writes from INFO on to stderr."""
        import logging

        family = logging.getLogger("skerry.task")
        if not family.handlers and not logging.getLogger().handlers:
            handler = logging.StreamHandler(sys.stderr)
            handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
            family.addHandler(handler)
            family.setLevel(logging.INFO)
            family.propagate = False
        return family.getChild(self.task)

    def __repr__(self) -> str:
        return f"<TaskContext task={self.task!r} run_id={self.run_id!r} attempt_number={self.attempt_number}>"


class ActiveRun:
    """A run in progress: its context, and how it calls other tasks (`children` is None when it runs in-process)."""

    __slots__ = ("children", "context")

    def __init__(self, context: TaskContext, children: Children | None) -> None:
        """Tie a context to the way its children are made."""
        self.context = context
        self.children = children


_active: ContextVar[ActiveRun | None] = ContextVar("skerry_active_run", default=None)
# A process that serves one attempt has one run wherever it looks, also in threads, which do not inherit context variables.
_of_process: ActiveRun | None = None


def active_run() -> ActiveRun | None:
    """The run this code is part of, None outside."""
    return _active.get() or _of_process


def activate(run: ActiveRun | None) -> None:
    """Make `run` the active run of the current context."""
    _active.set(run)


def activate_process(run: ActiveRun | None) -> None:
    """Make `run` the active run of this whole process."""
    global _of_process
    _of_process = run


def context() -> TaskContext:
    """The context of the run this code is part of.

    Raises:
        OutsideRun: it is not part of any.
    """
    run = active_run()
    if run is None:
        raise OutsideRun(
            "skerry.context() works only inside a task; annotate a first parameter as TaskContext, or call it there"
        )
    return run.context


def loop_is_running() -> bool:
    """Whether an event loop runs in this thread, found out without importing asyncio."""
    events = sys.modules.get("asyncio.events")
    return events is not None and events._get_running_loop() is not None
