"""What an executor is to the engine: the part that starts and ends runner processes, wherever they live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class PodIdentity:
    """A Pod that a runner's token is bound to; `node` is known where the cluster binds tokens to nodes too."""

    namespace: str
    service_account: str
    name: str
    uid: str
    node: str | None = None


class Executor(Protocol):
    """Starts runners. Everything else – assignment, protocol, states, retries, logs – is the engine's.

    A runner that an executor starts is admitted with `Engine.admit_runner`, connects to the gateway with its token, and from
    then on speaks for itself. When an executor sees a runner's process end, it says so with `Engine.runner_gone`.
    """

    async def start(self) -> None:
        """Begin to keep the runners there should be."""
        ...

    async def stop(self) -> None:
        """Stop every runner that would not outlive this process, and wait for them."""
        ...


@runtime_checkable
class Releaser(Protocol):
    """An executor that can release images."""

    async def release(self, slug: str, spec: Mapping[str, Any]) -> str:
        """Have the workflow `slug` run what `spec` says (`image`, perhaps `app` or `command`); answers the version's id."""
        ...

    async def withdraw(self, slug: str) -> None:
        """Forget what the workflow `slug` was released from."""
        ...
