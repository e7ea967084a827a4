"""How a run calls other tasks: the call, what became of it, and the channel both go through."""

from __future__ import annotations

import binascii
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from skerry.errors import TaskRunError, error_for_run

if TYPE_CHECKING:
    import asyncio

    from skerry.signatures import Signature

# What the runner says about a finished child: {"complete": {"output": base64}} or {"error": {"details", …}}.
Outcome = Mapping[str, Any]


class ChildCall:
    """One call of a task by a run: `payload` is the JSON text of its arguments, `options` what with_options() changed."""

    __slots__ = ("key", "options", "payload", "task")

    def __init__(self, task: str, payload: bytes, options: Mapping[str, Any], key: str) -> None:
        """Describe the call; `key` is unique among the calls of one attempt, so that sending it twice starts one run."""
        self.task = task
        self.payload = payload
        self.options = options
        self.key = key

    def to_socket(self) -> dict[str, Any]:
        """As the runner's socket spells it."""
        encoded = binascii.b2a_base64(self.payload, newline=False).decode("ascii")
        return {"task_name": self.task, "input": encoded, "call_key": self.key, **self.options}


class Children(Protocol):
    """The channel from one run to the runs it calls. `…_soon` is for the event loop, the rest blocks the calling thread."""

    def next_key(self, task: str) -> str:
        """A call key that no other call of this attempt has: `1:task`, `2:task`, …."""
        ...

    def start_soon(self, call: ChildCall) -> asyncio.Future[str]:
        """The id of the run that `call` starts. Calls of one turn of the event loop go together."""
        ...

    def outcome_soon(self, run_id: str) -> asyncio.Future[Outcome]:
        """What becomes of the run `run_id`."""
        ...

    def cancel_soon(self, run_id: str) -> None:
        """Cancel the run `run_id` without waiting for the answer."""
        ...

    def start(self, calls: Sequence[ChildCall]) -> list[str]:
        """The ids of the runs that `calls` start, in their order."""
        ...

    def wait(self, run_ids: Sequence[str], seconds: float) -> Mapping[str, Outcome]:
        """Those of `run_ids` that have finished: as soon as there is one, or none after `seconds`."""
        ...

    def cancel(self, run_id: str) -> None:
        """Cancel the run `run_id`."""
        ...


def result_of(signature: Signature, run_id: str, outcome: Outcome) -> Any:
    """The value of a finished child.

    Raises:
        TaskRunError: it failed or was canceled.
        SerializationError: its result does not fit the task's annotation.
    """
    complete = outcome.get("complete")
    if complete is not None:
        return signature.decode_result(binascii.a2b_base64(complete.get("output") or ""))
    raise failure_of(signature.task, run_id, outcome.get("error") or {})


def failure_of(task: str, run_id: str, error: Mapping[str, Any]) -> TaskRunError:
    """The error for a child's failure as the socket spells it."""
    return error_for_run(
        run_id=run_id,
        task=task,
        status=error.get("status") or "failed",
        message=error.get("details"),
        type=error.get("type"),
        stack_trace=error.get("stack_trace"),
    )
