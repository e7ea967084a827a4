from __future__ import annotations

from pathlib import Path

import pytest

from skerry_runner.farewells import last_words, say_farewell
from skerry_runner.outcomes import Facts, Raised, Returned, decide_outcome

SECRET = "postgresql://ada:lovelace@db"


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (Facts(callback=Returned("1", 1)), None),
        (
            Facts(callback=Raised(f"cannot reach {SECRET}", "OperationalError")),
            "error: the task raised OperationalError",
        ),
        (Facts(ending="timeout", timeout_seconds=30), "timeout: ran longer than its timeout of 30 s"),
        (Facts(ending="canceled"), "canceled: the run was canceled"),
        (Facts(callback=Returned(None, 5_000_000)), "payload_too_large: "),
        (Facts(wait_status=7 << 8, stderr_tail=SECRET), "exited: "),
    ],
)
def test_the_last_words_name_the_reason_and_no_secret(facts: Facts, words: str | None) -> None:
    said = last_words(decide_outcome(facts))
    assert (said or "").startswith(words or "")
    assert (said is None) == (words is None)
    assert SECRET not in (said or "")


def test_a_place_that_cannot_be_written_is_no_reason_to_fail(tmp_path: Path) -> None:
    say_farewell("timeout: x", tmp_path / "log")
    assert (tmp_path / "log").read_text() == "timeout: x"
    say_farewell("timeout: x", tmp_path / "missing" / "log")
