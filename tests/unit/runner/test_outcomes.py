"""How attempts end, as a table of facts and decisions."""

from __future__ import annotations

from typing import Any

import pytest

from skerry_runner.outcomes import Facts, Memory, Raised, Returned, decide_outcome, describe_status

RETURNED = Returned("[1]", 3)
RAISED = Raised("no", "ValueError", "Traceback", retryable=False)
BROKEN = Raised("the application cannot be imported: no", "ImportError", "Traceback")
LOST = "the process that user code is forked from exited with status 1"
MIB = 1024 * 1024

TABLE: list[tuple[str, Facts, str, str | None, str | None]] = [
    ("result", Facts(RETURNED), "succeeded", None, None),
    ("empty result", Facts(Returned(None, 0)), "succeeded", None, None),
    ("result, then a crash", Facts(RETURNED, wait_status=11), "succeeded", None, None),
    ("error", Facts(RAISED), "failed", "error", "no"),
    (
        "too large",
        Facts(Returned(None, 2 * MIB), result_limit=MIB),
        "failed",
        "payload_too_large",
        "the result is 2 MiB",
    ),
    ("exit 0", Facts(wait_status=0), "failed", "exited", "exited with status 0 before returning a result"),
    ("exit 3", Facts(wait_status=3 << 8), "failed", "exited", "exited with status 3 before returning a result"),
    ("segfault", Facts(wait_status=11), "failed", "exited", "killed by signal 11 (SIGSEGV)"),
    ("never asked", Facts(wait_status=256, asked_input=False), "failed", "exited", "before asking for its input"),
    ("gone", Facts(), "failed", "exited", "the process disappeared before returning a result"),
    (
        "kernel's kill",
        Facts(wait_status=9, memory=Memory(3 * MIB, 2 * MIB)),
        "failed",
        "oom_killed",
        "used 3 MiB of memory, allowed are 2 MiB",
    ),
    (
        "our kill",
        Facts(ending="memory", wait_status=9, memory=Memory(3 * MIB, None)),
        "failed",
        "oom_killed",
        "larger plan",
    ),
    ("unmeasured kill", Facts(ending="memory"), "failed", "oom_killed", "more memory than it may"),
    (
        "deadline",
        Facts(ending="timeout", wait_status=15, timeout_seconds=60),
        "failed",
        "timeout",
        "ran longer than its timeout of 60 s",
    ),
    ("late result", Facts(RETURNED, ending="timeout", timeout_seconds=0.5), "failed", "timeout", "timeout of 0.5 s"),
    ("canceled", Facts(ending="canceled", wait_status=15), "canceled", "canceled", "the run was canceled"),
    ("result after cancel", Facts(RETURNED, ending="canceled"), "canceled", "canceled", None),
    ("error after cancel", Facts(RAISED, ending="canceled"), "canceled", "canceled", None),
    ("stopped", Facts(ending="stopping", wait_status=15), "failed", "runner_lost", "told to stop"),
    ("result while stopping", Facts(RETURNED, ending="stopping"), "succeeded", None, None),
    ("error while stopping", Facts(RAISED, ending="stopping"), "failed", "runner_lost", None),
    (
        "too large while stopping",
        Facts(Returned(None, 9), ending="stopping", result_limit=8),
        "failed",
        "payload_too_large",
        None,
    ),
    ("zygote lost", Facts(lost=LOST), "failed", "runner_lost", LOST),
    ("import failed", Facts(broken=BROKEN), "failed", "error", "the application cannot be imported: no"),
]


@pytest.mark.parametrize(
    ("facts", "status", "reason", "words"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_outcome_follows_from_facts(facts: Facts, status: str, reason: str | None, words: str | None) -> None:
    outcome = decide_outcome(facts)
    assert (outcome.status, outcome.reason) == (status, reason)
    assert (outcome.result is None) == (outcome.status != "succeeded" or facts.callback == Returned(None, 0))
    if words is not None:
        assert outcome.error is not None
        assert words in outcome.error["message"]


def test_error_is_passed_on_as_it_came() -> None:
    error: Any = {"type": "ValueError", "message": "no", "stack_trace": "Traceback", "retryable": False}
    assert decide_outcome(Facts(RAISED)).error == error


def test_last_words_explain_an_exit() -> None:
    outcome = decide_outcome(Facts(wait_status=256, stderr_tail="boom"))
    assert outcome.error is not None
    assert outcome.error["stack_trace"] == "boom"
    assert outcome.error["retryable"]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "exited with status 0"),
        (9, "was killed by signal 9 (SIGKILL)"),
        (40, "was killed by signal 40"),
        (None, "disappeared"),
    ],
)
def test_wait_status_in_words(status: int | None, words: str) -> None:
    assert describe_status(status) == words
