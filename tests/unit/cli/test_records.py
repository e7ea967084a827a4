from datetime import UTC, datetime
from typing import Any

from skerry.cli import records
from tests.unit.cli.samples import a_run

NOW = datetime(2026, 11, 22, 10, 0, 10, tzinfo=UTC)


def kinds(events: list[records.Event]) -> list[tuple[str, str]]:
    return [(event.kind, event.run["id"]) for event in events]


def attempts(*states: str) -> list[dict[str, Any]]:
    return [{"attempt": index, "status": state, "startedAt": "x"} for index, state in enumerate(states)]


def test_a_run_is_told_once_when_it_starts_and_once_when_it_ends() -> None:
    ledger = records.Ledger()
    assert kinds(ledger.observe([a_run(status="pending")])) == [("started", "trn-1")]
    assert ledger.observe([a_run(status="running")]) == []
    assert ledger.open_ids == ["trn-1"]
    assert kinds(ledger.observe([a_run(status="failed")])) == [("ended", "trn-1")]
    assert ledger.observe([a_run(status="failed")]) == []
    assert ledger.open_ids == []


def test_a_run_seen_only_after_its_end_is_told_completely() -> None:
    events = records.Ledger().observe([a_run("trn-2"), a_run("trn-1")])
    assert kinds(events) == [("started", "trn-1"), ("ended", "trn-1"), ("started", "trn-2"), ("ended", "trn-2")]


def test_each_further_attempt_is_told() -> None:
    ledger = records.Ledger()
    ledger.observe([a_run(status="running", attempts=attempts("running"))])
    retried = a_run(status="running", attempts=attempts("failed", "running"))
    assert kinds(ledger.observe([retried])) == [("retrying", "trn-1")]
    assert ledger.observe([retried]) == []


def test_a_forgotten_run_is_not_followed() -> None:
    ledger = records.Ledger()
    ledger.observe([a_run(status="running")])
    ledger.forget("trn-1")
    assert ledger.open_ids == []
    assert ledger.observe([a_run(status="succeeded")]) == []


def test_lines_name_task_outcome_and_run() -> None:
    ledger = records.Ledger()
    events = ledger.observe([a_run(status="failed", error="no luck")])
    started, ended = (records.line_for(event, NOW).plain for event in events)
    assert "▶ hello  started  trn-1" in started
    assert "✗ hello  2.2 s  no luck  trn-1" in ended


def test_a_retry_tells_the_error_before_it() -> None:
    tries = attempts("failed", "running")
    tries[0]["error"] = 'say "hi"\nat line 3'
    event = records.Event("retrying", a_run(status="running", attempts=[*tries]))
    tries[1]["startedAt"] = "2026-11-22T10:00:05Z"
    assert '↻ hello  attempt 2  say "hi"  trn-1' in records.line_for(event, NOW).plain


def test_a_flood_is_told_as_its_sum_but_failures_are_kept() -> None:
    runs = [a_run(f"trn-{index}") for index in range(200)] + [a_run("trn-bad", status="failed", error="no luck")]
    events, rest = records.condensed(records.Ledger().observe(runs), limit=10)
    assert len(events) == 9
    assert ("ended", "trn-bad") in kinds(events)
    assert rest is not None
    assert rest.plain.startswith("… and 393 more: ")
