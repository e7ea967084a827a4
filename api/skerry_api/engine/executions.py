"""What an executor is to the engine: the part that starts and ends runner processes, wherever they live."""

from __future__ import annotations

from typing import Protocol


class Executor(Protocol):
    """Starts runners. Everything else – assignment, protocol, states, retries, logs – is the engine's.

    A runner that an executor starts is admitted with `Engine.admit_runner`, connects to the gateway with its token, and from
    then on speaks for itself. When an executor sees a runner's process end, it says so with `Engine.runner_gone`.
    """

    async def start(self) -> None:
        """Begin to keep the runners there should be."""
        ...

    async def stop(self) -> None:
        """Stop every runner this executor started, and wait for them."""
        ...
