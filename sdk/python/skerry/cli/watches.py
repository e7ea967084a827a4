"""Following a run to its end: a live tree for people, plain lines for pipes, or nothing but the outcome."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from skerry.cli import connections, logs, outputs, problems, records, tables, trees

REFRESH_SECONDS = 0.25
"""The shortest time between two requests for the tree."""

_LONGEST_PAUSE_SECONDS = 2.0
_LONG_POLL_SECONDS = 30
_TAIL = 10
"""Log lines shown beneath the live tree."""

Sink = Callable[[dict[str, Any], list[dict[str, Any]]], None]
"""Takes the tree and the log lines that are new since it was last called."""


def follow(server: connections.Connection, run_id: str, sink: Sink) -> dict[str, Any]:
    """Hand the tree and new log lines of a run to `sink` until the run has ended; return the ended run."""
    path = f"/v1/task-runs/{connections.segment(run_id)}"
    reader = logs.Reader(server, run_id)
    while True:
        began = time.monotonic()
        tree = server.get(f"{path}/tree")
        sink(tree, reader.read())
        if tree["run"]["status"] in records.TERMINAL:
            return _as_record(server.get(path))
        # A tree of thousands costs the server more: it is asked for less often. The pause is a long-poll,
        # so that the end of the run ends it.
        cost = time.monotonic() - began
        server.get(path, wait=round(min(max(REFRESH_SECONDS, 3 * cost), _LONGEST_PAUSE_SECONDS), 2))


def wait(server: connections.Connection, run: dict[str, Any]) -> dict[str, Any]:
    """Return a run once it has ended, showing nothing meanwhile."""
    while run["status"] not in records.TERMINAL or "results" not in run:
        run = server.get(f"/v1/task-runs/{connections.segment(run['id'])}", wait=_LONG_POLL_SECONDS)
    return run


def watch(server: connections.Connection, run_id: str) -> dict[str, Any]:
    """Show a run on stdout until it has ended, its outcome last; return the ended run."""
    try:
        run = _watch_live(server, run_id) if outputs.is_terminal() else _watch_plainly(server, run_id)
    except KeyboardInterrupt:
        outputs.note(f"No longer watching; the run goes on. To cancel it: skerry runs cancel {run_id}")
        raise typer.Exit(130) from None
    outputs.show(*tables.outcome(run))
    return run


def conclude(run: dict[str, Any]) -> None:
    """End the command with the exit status that tells how a run ended.

    Raises:
        Exit: The run failed or was canceled.
    """
    if run["status"] in ("failed", "canceled"):
        raise typer.Exit(problems.FAILED)


def _watch_live(server: connections.Connection, run_id: str) -> dict[str, Any]:
    console = outputs.stdout()
    view = View(console)
    with Live(view, console=console, refresh_per_second=4, vertical_overflow="crop") as live:
        run = follow(server, run_id, view.update)
        live.refresh()
    return run


def _watch_plainly(server: connections.Connection, run_id: str) -> dict[str, Any]:
    ledger = records.Ledger()

    def tell(tree: dict[str, Any], entries: list[dict[str, Any]]) -> None:
        events = ledger.observe(reversed([node["run"] for node in _nodes(tree)]))
        outputs.show(*records.timeline(events, entries, trees.names(tree), datetime.now(UTC)))

    return follow(server, run_id, tell)


class View:
    """What the live display shows: the tree, and the latest log lines beneath it.

    Args:
        console: Where it is shown; the tree is folded to fit its height.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._tree: dict[str, Any] | None = None
        self._tail: deque[Text] = deque(maxlen=_TAIL)

    def update(self, tree: dict[str, Any], entries: list[dict[str, Any]]) -> None:
        """Take a new tree and new log lines."""
        names = trees.names(tree)
        self._tail.extend(logs.line_for(entry, names) for entry in entries[-_TAIL:])
        self._tree = tree

    def __rich__(self) -> Group:
        if self._tree is None:
            return Group(Text("Waiting for the server…", style="dim"))
        # Room for the separating rule, and for the cursor's own line.
        rows = max(self._console.height - len(self._tail) - 2, 3)
        tree = trees.tree_for(self._tree, datetime.now(UTC), rows)
        if not self._tail:
            return Group(tree)
        lines = [_one_line(line) for line in self._tail]
        return Group(tree, tables.rule("Log"), *lines)


def _one_line(line: Text) -> Text:
    line = line.copy()
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _nodes(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield tree
    for child in tree["children"]:
        yield from _nodes(child)


def _as_record(value: Any) -> dict[str, Any]:
    return dict(value)


def present(server: connections.Connection, run: dict[str, Any], wanted: bool | None, as_json: bool) -> None:
    """Show a run that was just started, the way the user asked for.

    Args:
        server: The server.
        run: The run as the server answered it.
        wanted: Whether to wait for its end; None means only if a person is watching.
        as_json: Whether only JSON may be printed.

    Raises:
        Exit: It was waited for, and it failed or was canceled.
    """
    on_terminal = outputs.is_terminal() and not as_json
    if not (on_terminal if wanted is None else wanted):
        return outputs.show_json(run) if as_json else outputs.show(Text(run["id"]))
    if on_terminal:
        outputs.note(f"Run {run['id']}")
        return conclude(watch(server, run["id"]))
    ended = wait(server, run)
    if as_json:
        outputs.show_json(ended)
    elif ended["status"] in ("failed", "canceled"):
        for part in tables.outcome(ended):
            outputs.stderr().print(part)
    else:
        outputs.show_json(tables.result_of(ended))
    conclude(ended)
