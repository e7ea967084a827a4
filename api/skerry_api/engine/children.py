"""The child runs of one attempt: started for it, and their ends told to its runner."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from skerry_api.domain.errors import SkerryError
from skerry_api.engine.messages import Message, child_trigger
from skerry_api.engine.submissions import Parent
from skerry_api.storage.assignments import Assignment
from skerry_api.storage.runs import Finished

if TYPE_CHECKING:
    from skerry_api.engine.engines import Engine


class Children:
    """Child runs whose ends an attempt has yet to hear of."""

    def __init__(self, engine: Engine, assignment: Assignment, send: Callable[[Message], None]) -> None:
        """`send` queues a message to the attempt's runner."""
        self._engine = engine
        self._assignment = assignment
        self._send = send
        self._followed: set[str] = set()

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._followed

    async def spawn(self, message: Message) -> None:
        """Start the child that a `spawn` message asks for, and tell the runner which run that is, or why there is none."""
        attempt, call = self._assignment.attempt, str(message["call"])
        try:
            trigger = child_trigger(message)
            self.follow(trigger.run_id)
            parent = Parent(self._assignment, call, len(self._followed) - 1)
            submission = (await self._engine.submissions.submit([trigger], [parent]))[0]
        except SkerryError as error:
            failure = {"code": error.code, "message": error.message, "status": error.status}
            self._send({"type": "spawn_failed", "attempt": attempt, "call": call, "error": failure})
            return
        self._send({"type": "spawned", "attempt": attempt, "call": call, "run": submission.run_id})
        if not submission.created:
            self.follow(submission.run_id)
            await self._engine.ends.catch_up([submission.run_id])

    def follow(self, run_id: str | None) -> None:
        """Tell the runner of this child's end."""
        if run_id is None or run_id in self._followed:
            return
        self._followed.add(run_id)
        self._engine.ends.listen(run_id, self._tell)

    def unfollow(self) -> None:
        """Tell of no more ends: the attempt is over, or its runner away."""
        for run_id in self._followed:
            self._engine.ends.ignore(run_id, self._tell)
        self._followed.clear()

    def _tell(self, finished: Finished) -> None:
        self._followed.discard(finished.run)
        self._send(
            {
                "type": "child_finished",
                "attempt": self._assignment.attempt,
                "run": finished.run,
                "status": finished.status.value,
                "result": finished.result,
                "error": finished.error,
            }
        )
