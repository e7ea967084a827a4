"""How one control-plane process runs its engine."""

from __future__ import annotations

from dataclasses import dataclass, field

from skerry_api.domain.limits import Limits


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Times in seconds.

    Attributes:
        replica: this process's id, fresh at every start.
        dev: a laptop: any workflow name reaches the one there is, and short timeouts are allowed.
        require_keys: whether requests need an API key.
        poll_seconds: the longest a lost notification can delay anything.
        lease_seconds: how long a runner may be silent before what it holds is lost.
        start_seconds: from assignment to the first line of user code.
        timeout_grace_seconds: after an attempt's timeout, before the control plane ends it itself.
        cancel_grace_seconds: between SIGTERM and SIGKILL when a run is canceled.
    """

    replica: str
    limits: Limits = field(default_factory=Limits)
    dev: bool = False
    require_keys: bool = True
    poll_seconds: float = 1.0
    lease_seconds: float = 30.0
    start_seconds: float = 60.0
    timeout_grace_seconds: float = 20.0
    cancel_grace_seconds: float = 5.0
    retention_interval_seconds: float = 600.0
    log_retention_days: int = 30

    @property
    def heartbeat_seconds(self) -> float:
        """WebSocket pings: two that stay unanswered end the connection well before the lease."""
        return self.lease_seconds / 3
