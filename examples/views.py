"""Two ways to watch a run and everything it started: a live tree on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Protocol

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

Node = dict[str, Any]
"""What `GET /v1/task-runs/{id}/tree` answers: a run and its children."""

MARKS = {"succeeded": ("✓", "green"), "failed": ("✗", "red"), "canceled": ("-", "yellow"), "running": ("▶", "cyan")}


class View(Protocol):
    """Shows how things stand; called whenever they may have changed."""

    def update(self, tree: Node, logs: list[dict[str, Any]]) -> None:
        """Show the tree of runs; `logs` are the lines that came since the last call."""

    def note(self, text: str) -> None:
        """Say something about the demonstration itself."""


class LiveTree:
    """Redraws one tree in place: runs, their failed attempts and their log lines."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._lines: dict[str, list[str]] = {}

    def update(self, tree: Node, logs: list[dict[str, Any]]) -> None:
        for line in logs:
            self._lines.setdefault(line["taskRunId"], []).append(line["message"])
        self._live.update(self._branch(tree), refresh=True)

    def note(self, text: str) -> None:
        self._live.console.print(Text(text, style="bold yellow"))

    def _branch(self, node: Node) -> Tree:
        run = node["run"]
        mark, style = MARKS.get(run["status"], ("·", "dim"))
        label = Text.assemble((f"{mark} ", style), (run["taskName"], "bold"), (f"  {_span(run)}  {run['plan']}", "dim"))
        branch = Tree(label, guide_style="dim")
        for problem in _failed_attempts(run):
            branch.add(Text(problem, style="red"))
        for line in self._lines.get(run["id"], []):
            branch.add(Text(line, style="dim"))
        for child in node["children"]:
            branch.add(self._branch(child))
        return branch


class PlainLines:
    """Prints one line for every change, with the seconds since the start."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._seen: set[tuple[str, str]] = set()

    def update(self, tree: Node, logs: list[dict[str, Any]]) -> None:
        names = {node["run"]["id"]: node["run"]["taskName"] for node in nodes(tree)}
        for line in logs:
            self._print(names.get(line["taskRunId"], "?"), line["message"])
        for run in (node["run"] for node in nodes(tree)):
            for change in [*_failed_attempts(run), run["status"]]:
                if change not in {"pending", "paused"} and (run["id"], change) not in self._seen:
                    self._seen.add((run["id"], change))
                    self._print(run["taskName"], change)

    def note(self, text: str) -> None:
        self._print("demo", text)

    def _print(self, name: str, text: str) -> None:
        line = f"{time.monotonic() - self._started:6.2f} s  {name:<18} {text}"
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def timetable(tree: Node) -> Table:
    """How long each run waited for a process and how long its code ran, in seconds, all attempts together."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("task")
    table.add_column("plan")
    for heading in ("attempts", "waited", "ran"):
        table.add_column(heading, justify="right")
    for node in nodes(tree):
        run = node["run"]
        spans = [attempt["timings"] for attempt in run["attempts"]]
        waited = sum(span.get("queuedSeconds", 0) + span.get("startingSeconds", 0) for span in spans)
        ran = sum(span.get("runningSeconds", 0) for span in spans)
        table.add_row(run["taskName"], run["plan"], str(len(spans)), f"{waited:.3f} s", f"{ran:.3f} s")
    return table


def nodes(tree: Node) -> Iterator[Node]:
    """A run, its children, their children: parents first."""
    yield tree
    for child in tree["children"]:
        yield from nodes(child)


def _failed_attempts(run: dict[str, Any]) -> list[str]:
    failed = [attempt for attempt in run["attempts"] if attempt["status"] == "failed"]
    return [f"attempt {attempt['attempt'] + 1} failed: {attempt['error']}" for attempt in failed]


def _span(run: dict[str, Any]) -> str:
    seconds = sum(attempt["timings"].get("runningSeconds", 0) for attempt in run["attempts"])
    return f"{seconds:.2f} s" if run.get("completedAt") else run["status"]
