from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from skerry.cli import trees
from tests.unit.cli.samples import TIME, a_node, a_run

NOW = datetime(2026, 11, 22, 10, 0, 10, tzinfo=UTC)


def drawn(node: dict[str, Any], **options: Any) -> list[str]:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(trees.tree_for(node, NOW, **options))
    return captured.get().splitlines()


def test_a_tree_shows_tasks_states_and_durations() -> None:
    node = a_node(
        a_run(task="report", status="running"), a_node(a_run("trn-2", "fetch"), a_node(a_run("trn-3", "parse")))
    )
    assert [line.rstrip() for line in drawn(node)] == [
        "● report  9.0 s",
        "└── ✓ fetch  2.2 s",
        "    └── ✓ parse  2.2 s",
    ]


def test_a_pending_run_tells_what_it_waits_for() -> None:
    assert drawn(a_node(a_run(status="pending"))) == ["○ hello  queued for 10.0 s"]
    assert drawn(a_node(a_run(status="pending", delayedUntil=TIME.format(15)))) == ["○ hello  starts in 5.0 s"]


def test_attempts_are_counted_when_there_was_more_than_one() -> None:
    attempts = [{"attempt": 0, "status": "failed"}, {"attempt": 1, "status": "running"}]
    assert "attempt 2 of 4" in drawn(a_node(a_run(status="running", attempts=attempts, retries=1)))[0]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"errorDetails": {"type": "ValueError", "message": "bad\nworse"}}, "ValueError: bad"),
        ({"errorDetails": {"type": "Error", "message": "bad"}}, "bad"),
        ({"error": "bad"}, "bad"),
        ({"error": "x" * 200}, "x" * 99 + "…"),
        ({"reason": "timeout"}, "timeout"),
        ({}, "failed"),
    ],
)
def test_a_failed_run_tells_why_in_one_line(fields: dict[str, Any], told: str) -> None:
    lines = drawn(a_node(a_run(status="failed", **fields)))
    assert len(lines) == 1
    assert lines[0].endswith(f"  {told}")


def test_names_that_look_like_markup_are_shown_as_they_are() -> None:
    assert "[red]x[/red]" in drawn(a_node(a_run(task="[red]x[/red]")))[0]


def test_a_large_tree_is_folded_and_keeps_what_failed_and_what_runs() -> None:
    states = ["succeeded"] * 500 + ["failed"] + ["pending"] * 30 + ["running"]
    children = [a_node(a_run(f"trn-{index}", f"t{index}", state)) for index, state in enumerate(states)]
    lines = drawn(a_node(a_run(task="root", status="running"), *children), max_rows=8)
    assert len(lines) <= 8
    assert any("t500" in line for line in lines)
    assert any("t531" in line for line in lines)
    assert "more:" in lines[-1]
    assert "500 succeeded" in lines[-1]


def test_a_folded_tree_still_shows_every_task() -> None:
    children = [a_node(a_run(f"trn-{index}", "clean")) for index in range(50)]
    lines = drawn(a_node(a_run(), *children, a_node(a_run("trn-z", "add_up"))), max_rows=6)
    assert any("add_up" in line for line in lines)


def test_folding_applies_to_every_level() -> None:
    children = [a_node(a_run(), *(a_node(a_run()) for _ in range(30))) for _ in range(3)]
    node = a_node(a_run(), *children)
    for rows in (12, 20, 40):
        assert len(drawn(node, max_rows=rows)) <= rows
    assert len(drawn(node)) == 1 + 3 * 31


def test_a_tree_knows_its_names_and_counts() -> None:
    node = a_node(a_run(status="running"), a_node(a_run("trn-2", "fetch")), a_node(a_run("trn-3", "fetch")))
    assert trees.names(node) == {"trn-1": "hello", "trn-2": "fetch", "trn-3": "fetch"}
    assert trees.counts(node) == {"running": 1, "succeeded": 2}
