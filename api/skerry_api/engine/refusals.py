"""What a runner says of attempts it does not hold: the last words of one that is over are kept, the rest is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from skerry_api.domain.errors import AttemptSuperseded
from skerry_api.domain.states import ATTEMPT_TERMINAL
from skerry_api.engine.messages import Message, log_entries
from skerry_api.storage.assignments import fetch_assignment

if TYPE_CHECKING:
    from skerry_api.engine.engines import Engine

# What may still come, or come again, when an attempt is over.
_LATE = ("complete", "logs", "started")


class Refusals:
    """Answers to one runner about attempts that it does not hold."""

    def __init__(self, engine: Engine, send: Callable[[Message], None]) -> None:
        """`send` queues a message to the runner."""
        self._engine = engine
        self._send = send
        self._turn = asyncio.Lock()

    async def answer(self, message: Message) -> None:
        """Acknowledge what comes late from whoever has an ended attempt's token, storing log lines; refuse the rest.

        Raises:
            Unavailable: Postgres is away; what the runner keeps it sends again on its next connection.
        """
        # In the order in which they came: lines stored ahead of earlier ones would make those look like a repetition.
        async with self._turn:
            await self._answer(message)

    async def _answer(self, message: Message) -> None:
        async with self._engine.database.transaction() as connection:
            found = await fetch_assignment(connection, str(message["attempt"]))
        kind = message.get("type")
        over = found is not None and found.token == message["token"] and found.status in ATTEMPT_TERMINAL
        if found is None or not over or kind not in _LATE:
            self._refuse(message)
            return
        seq = int(message["seq"])
        if kind == "logs":
            await self._engine.store_logs(found, seq, log_entries(message))
        self._send({"type": "ack", "attempt": found.attempt, "seq": seq})

    def _refuse(self, message: Message) -> None:
        refusal = AttemptSuperseded("the attempt is over or belongs to another runner")
        self._send(
            {
                "type": "cancel",
                "attempt": message["attempt"],
                "reason": "superseded",
                "code": refusal.code,
                "grace_seconds": 0,
            }
        )
