"""The states a run and an attempt pass through, why an attempt ended, and what follows.

Run:      pending → running → succeeded | failed | canceled,  running ⇄ paused,  running → pending between attempts
Attempt:  queued → starting → running → succeeded | failed | lost | canceled
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from skerry_api.domain.retries import Retry


class RunStatus(StrEnum):
    """Where a run is."""

    PENDING = "pending"  # accepted; waits for its first or next attempt to start
    RUNNING = "running"  # user code runs
    PAUSED = "paused"  # user code only waits for child runs, and takes no concurrency
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class AttemptStatus(StrEnum):
    """Where one try of a run is."""

    QUEUED = "queued"  # waits for a runner, or for its moment
    STARTING = "starting"  # belongs to a runner; user code has not begun
    RUNNING = "running"  # user code has its input
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # by the user's code
    LOST = "lost"  # by the infrastructure
    CANCELED = "canceled"


class Reason(StrEnum):
    """Why an attempt did not succeed."""

    ERROR = "error"
    TIMEOUT = "timeout"
    EXITED = "exited"
    OOM_KILLED = "oom_killed"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    EVICTED = "evicted"
    PREEMPTED = "preempted"
    NODE_LOST = "node_lost"
    RUNNER_LOST = "runner_lost"
    IMAGE_PULL = "image_pull"
    UNSCHEDULABLE = "unschedulable"
    CANCELED = "canceled"
    DELETED = "deleted"


RUN_TERMINAL = frozenset({RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELED})
ATTEMPT_LIVE = frozenset({AttemptStatus.STARTING, AttemptStatus.RUNNING})
# Every run that is not over has exactly one attempt in one of these.
ATTEMPT_OPEN = frozenset({AttemptStatus.QUEUED, *ATTEMPT_LIVE})
ATTEMPT_TERMINAL = frozenset(
    {AttemptStatus.SUCCEEDED, AttemptStatus.FAILED, AttemptStatus.LOST, AttemptStatus.CANCELED}
)

INFRASTRUCTURE_REASONS = frozenset({Reason.EVICTED, Reason.PREEMPTED, Reason.NODE_LOST, Reason.RUNNER_LOST})
# What was waited for long enough: another try would wait for the same.
HOPELESS_REASONS = frozenset({Reason.IMAGE_PULL, Reason.UNSCHEDULABLE})
CANCEL_REASONS = frozenset({Reason.CANCELED, Reason.DELETED})

RUN_TRANSITIONS: dict[RunStatus, frozenset[RunStatus]] = {
    RunStatus.PENDING: frozenset({RunStatus.RUNNING, *RUN_TERMINAL}),
    RunStatus.RUNNING: frozenset({RunStatus.PENDING, RunStatus.PAUSED, *RUN_TERMINAL}),
    RunStatus.PAUSED: frozenset({RunStatus.PENDING, RunStatus.RUNNING, *RUN_TERMINAL}),
    RunStatus.SUCCEEDED: frozenset(),
    RunStatus.FAILED: frozenset(),
    RunStatus.CANCELED: frozenset(),
}

ATTEMPT_TRANSITIONS: dict[AttemptStatus, frozenset[AttemptStatus]] = {
    AttemptStatus.QUEUED: frozenset({AttemptStatus.STARTING, AttemptStatus.LOST, AttemptStatus.CANCELED}),
    # Straight to an end: "started" is written lazily and folded into a quick completion.
    AttemptStatus.STARTING: frozenset({AttemptStatus.RUNNING, *ATTEMPT_TERMINAL}),
    AttemptStatus.RUNNING: ATTEMPT_TERMINAL,
    AttemptStatus.SUCCEEDED: frozenset(),
    AttemptStatus.FAILED: frozenset(),
    AttemptStatus.LOST: frozenset(),
    AttemptStatus.CANCELED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Failures:
    """How often a run has failed so far, and what it may still try."""

    retry: Retry
    user: int = 0
    infrastructure: int = 0
    max_infrastructure: int = 3


@dataclass(frozen=True, slots=True)
class Settlement:
    """What the end of an attempt means: its own status, its run's, and when to try again."""

    attempt: AttemptStatus
    run: RunStatus
    reason: Reason | None
    retry_after_ms: int | None = None
    user_failures: int = 0
    infrastructure_failures: int = 0

    @property
    def retries(self) -> bool:
        """Whether another attempt follows."""
        return self.retry_after_ms is not None


def decide_settlement(reason: Reason | None, failures: Failures, *, retryable: bool = True) -> Settlement:
    """What follows from an attempt that ended for `reason` (None: it succeeded).

    User failures consume the task's retries; infrastructure losses are counted apart, with the same backoff.
    """
    user, infrastructure = failures.user, failures.infrastructure
    if reason is None:
        return Settlement(AttemptStatus.SUCCEEDED, RunStatus.SUCCEEDED, None, None, user, infrastructure)
    if reason in CANCEL_REASONS:
        return Settlement(AttemptStatus.CANCELED, RunStatus.CANCELED, reason, None, user, infrastructure)
    if reason in HOPELESS_REASONS:
        return Settlement(AttemptStatus.LOST, RunStatus.FAILED, reason, None, user, infrastructure + 1)
    if reason in INFRASTRUCTURE_REASONS:
        again = infrastructure < failures.max_infrastructure
        wait = failures.retry.wait_ms(infrastructure) if again else None
        run = RunStatus.PENDING if again else RunStatus.FAILED
        return Settlement(AttemptStatus.LOST, run, reason, wait, user, infrastructure + 1)
    again = retryable and user < failures.retry.max_retries
    wait = failures.retry.wait_ms(user) if again else None
    run = RunStatus.PENDING if again else RunStatus.FAILED
    return Settlement(AttemptStatus.FAILED, run, reason, wait, user + 1, infrastructure)
