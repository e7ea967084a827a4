"""The bounds every input is held to, each with a clear error where it is checked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds.

    Attributes:
        argument_bytes: JSON text of one run's arguments (Render: 4 MB).
        result_bytes: JSON text of one run's result.
        body_bytes: one HTTP request body other than a single trigger's; batches may be larger.
        inline_bytes: above it inputs and results travel by HTTP instead of the runner's socket.
        batch_runs: triggers in one batch.
        fan_out: children one attempt may spawn.
        depth: nesting of runs.
        tasks: definitions in one version (Render: 500).
    """

    argument_bytes: int = 4 * 1024 * 1024
    result_bytes: int = 4 * 1024 * 1024
    body_bytes: int = 32 * 1024 * 1024
    inline_bytes: int = 256 * 1024
    batch_runs: int = 1000
    fan_out: int = 10_000
    depth: int = 50
    tasks: int = 500
    log_line_bytes: int = 16 * 1024
    log_lines_per_second: int = 2000
    timeout_seconds_min: float = 30.0
    timeout_seconds_max: float = 86_400.0
    timeout_seconds_default: float = 7200.0
    wait_seconds_max: float = 60.0
    delay_seconds_max: float = 365 * 86_400.0
