"""Decisions about the end of an attempt, as tables."""

from __future__ import annotations

import pytest

from skerry_api.domain.retries import Retry
from skerry_api.domain.states import (
    ATTEMPT_TERMINAL,
    ATTEMPT_TRANSITIONS,
    RUN_TERMINAL,
    RUN_TRANSITIONS,
    AttemptStatus,
    Failures,
    Reason,
    RunStatus,
    decide_settlement,
)

RETRY = Retry(max_retries=2, wait_duration_ms=1000, factor=2.0)


@pytest.mark.parametrize(
    ("reason", "user", "infrastructure", "retryable", "attempt", "run", "wait"),
    [
        (None, 0, 0, True, "succeeded", "succeeded", None),
        (None, 2, 3, True, "succeeded", "succeeded", None),
        (Reason.ERROR, 0, 0, True, "failed", "pending", 1000),
        (Reason.ERROR, 1, 0, True, "failed", "pending", 2000),
        (Reason.ERROR, 2, 0, True, "failed", "failed", None),
        (Reason.ERROR, 0, 0, False, "failed", "failed", None),
        (Reason.TIMEOUT, 0, 0, True, "failed", "pending", 1000),
        (Reason.EXITED, 1, 0, True, "failed", "pending", 2000),
        (Reason.OOM_KILLED, 2, 0, True, "failed", "failed", None),
        (Reason.PAYLOAD_TOO_LARGE, 0, 0, False, "failed", "failed", None),
        (Reason.RUNNER_LOST, 2, 0, True, "lost", "pending", 1000),
        (Reason.NODE_LOST, 2, 2, True, "lost", "pending", 4000),
        (Reason.EVICTED, 0, 3, True, "lost", "failed", None),
        (Reason.CANCELED, 0, 0, True, "canceled", "canceled", None),
        (Reason.DELETED, 0, 0, True, "canceled", "canceled", None),
    ],
)
def test_settlement(reason, user, infrastructure, retryable, attempt, run, wait):
    decided = decide_settlement(reason, Failures(RETRY, user, infrastructure), retryable=retryable)
    assert (decided.attempt, decided.run, decided.retry_after_ms) == (attempt, run, wait)


def test_infrastructure_losses_do_not_consume_the_users_retries():
    decided = decide_settlement(Reason.PREEMPTED, Failures(RETRY, user=1))
    assert (decided.user_failures, decided.infrastructure_failures) == (1, 1)


@pytest.mark.parametrize("reason", [None, *Reason])
@pytest.mark.parametrize("retryable", [True, False])
@pytest.mark.parametrize("failures", [Failures(RETRY), Failures(RETRY, 2, 3), Failures(Retry(0))])
def test_every_settlement_is_an_allowed_transition(reason, retryable, failures):
    decided = decide_settlement(reason, failures, retryable=retryable)
    assert decided.attempt in ATTEMPT_TRANSITIONS[AttemptStatus.RUNNING]
    assert decided.run in RUN_TRANSITIONS[RunStatus.RUNNING]
    assert decided.retries == (decided.run is RunStatus.PENDING)


def test_nothing_follows_a_terminal_state():
    assert all(not RUN_TRANSITIONS[status] for status in RUN_TERMINAL)
    assert all(not ATTEMPT_TRANSITIONS[status] for status in ATTEMPT_TERMINAL)
    assert set(RUN_TRANSITIONS) == set(RunStatus)
    assert set(ATTEMPT_TRANSITIONS) == set(AttemptStatus)


@pytest.mark.parametrize(("done", "wait"), [(0, 500), (1, 750), (2, 1125), (500, 24 * 3600 * 1000)])
def test_waits_grow_up_to_a_day(done, wait):
    assert Retry(9, 500, 1.5).wait_ms(done) == wait
