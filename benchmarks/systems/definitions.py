"""What the benchmarks need to know of a system."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.processes import DriverProcess
from benchmarks.stages import Stage


@dataclass(frozen=True)
class Running:
    """A started system.

    Attributes:
        driver: Triggers runs on it.
        parts: Root process ids of each part: `client` (the driver), `control plane`, `database`, `workers`.
            A part that a system does not have, or has inside another one's process, is absent.
    """

    driver: DriverProcess
    parts: dict[str, list[int]]


@dataclass(frozen=True)
class System:
    """One row of the tables.

    Attributes:
        name: Product and variant.
        peer: The name that `--peers` knows it by; None for Skerry and the physical limits.
        isolation: What separates one run's user code from another's.
        kept: Where a run is kept, and whether it survives a power cut.
        start: Starts it on a stage and returns once it answers.
        in_flight: Most runs to keep under way at once; None for as many as asked.
        is_limit: Whether this is the machine itself, not a system to choose.
    """

    name: str
    peer: str | None
    isolation: str
    kept: str
    start: Callable[[Stage], Running]
    in_flight: int | None = None
    is_limit: bool = False
