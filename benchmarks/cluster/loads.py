"""Runs at a low, steady rate from a client that repeats a trigger until it is accepted, and what each should come to."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.end_to_end.installations import Installation

CHILDREN = 3
# How often each kind comes, beside the others.
KINDS = {"quick": 5, "slow": 2, "family": 1, "stumble": 1}
# Which share of accepted triggers is sent once more, as if the answer had been lost.
REPEATED = 0.05
REQUEST_SECONDS = 10.0
PAUSE_SECONDS = 0.25
# A quick run's, and a slow one's.
SLEEP_SECONDS = {"quick": 0.0, "slow": 2.0}
OVER = ("succeeded", "failed", "canceled")


@dataclass
class Promise:
    """One run that was asked for.

    Attributes:
        key: the idempotency key of all its triggers.
        kind: one of `KINDS`.
        ids: what the triggers were answered: one id, however many there were.
        triggers: how many requests it took, answered or not.
        refused: what a replica said that would not have it.
        is_canceled: whether somebody asked to cancel it.
        run: as REST showed it last.
    """

    key: str
    kind: str
    ids: set[str] = field(default_factory=set)
    triggers: int = 0
    refused: str = ""
    is_canceled: bool = False
    run: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Its run."""
        return min(self.ids)

    @property
    def is_over(self) -> bool:
        """Whether it was over when it was seen last."""
        return self.run.get("status") in OVER

    def request(self) -> dict[str, Any]:
        """The trigger, the same every time."""
        if self.kind == "family":
            task, arguments = "family", [self.key, CHILDREN]
        elif self.kind == "stumble":
            task, arguments = "stumble", [self.key]
        else:
            task, arguments = "echo", [self.key, SLEEP_SECONDS[self.kind]]
        return {"task": f"faults/{task}", "input": arguments, "idempotencyKey": self.key}

    def result(self) -> Any:
        """What the run gives back when it succeeds."""
        return [f"{self.key}/{number}" for number in range(CHILDREN)] if self.kind == "family" else self.key


class Load:
    """Everything that one soak has started."""

    def __init__(self, installation: Installation, name: str, chance: random.Random) -> None:
        headers = {"Authorization": f"Bearer {installation.key}"}
        self._http = httpx.AsyncClient(base_url=installation.url, headers=headers, timeout=REQUEST_SECONDS)
        self._chance = chance
        self.name = name
        self.promises: list[Promise] = []
        self.lost_answers = 0

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def steady(self, rate: float, seconds: float) -> None:
        """Start runs of all kinds, `rate` a second, until all of these are accepted."""
        loop = asyncio.get_running_loop()
        began, number = loop.time(), 0
        async with asyncio.TaskGroup() as group:
            while (due := number / rate) < seconds:
                await asyncio.sleep(max(0.0, began + due - loop.time()))
                group.create_task(self.start(self._chance.choices(list(KINDS), list(KINDS.values()))[0]))
                number += 1

    async def start(self, kind: str) -> Promise:
        """Start a run; unless it was refused, it has been promised when this returns."""
        promise = Promise(f"{self.name}-{len(self.promises)}", kind)
        self.promises.append(promise)
        again = self._chance.random() < REPEATED
        try:
            for _ in range(2 if again else 1):
                promise.ids.add((await self._until_answered("POST", "/v1/task-runs", promise))["id"])
        except httpx.HTTPStatusError as error:
            promise.refused = f"{error.response.status_code} {error.response.text}"
        return promise

    async def look(self, promise: Promise, wait: float = 0.0) -> None:
        """See how a run stands, or wait a while for its end."""
        promise.run = await self.get(f"/v1/task-runs/{promise.id}?wait={wait:g}")

    async def get(self, path: str) -> Any:
        """What REST answers, as soon as it does."""
        return await self._until_answered("GET", path)

    async def cancel(self, promise: Promise) -> None:
        """Cancel a run."""
        promise.is_canceled = True
        await self._until_answered("DELETE", f"/v1/task-runs/{promise.id}")

    async def _until_answered(self, method: str, path: str, promise: Promise | None = None) -> Any:
        """The answer of the first replica that gives one.

        Raises:
            httpx.HTTPStatusError: the request was refused, not failed.
        """
        while True:
            body: Mapping[str, Any] | None = None
            if promise is not None:
                promise.triggers += 1
                body = promise.request()
            try:
                answer = await self._http.request(method, path, json=body)
            except httpx.TransportError:
                self.lost_answers += 1
            else:
                if answer.status_code < 500 and answer.status_code != 429:
                    answer.raise_for_status()
                    return answer.json() if answer.content else None
            await asyncio.sleep(PAUSE_SECONDS)
