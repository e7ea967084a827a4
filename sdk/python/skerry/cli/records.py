"""Runs as `skerry dev` tells them: one line when a run starts, one when it ends. Pure."""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from rich.text import Text

from skerry.cli import durations, logs, trees

_REMEMBERED = 20_000
"""Run ids kept to tell new runs from known ones; far more than two consecutive pages of the list hold."""

_ERROR_LENGTH = 100

TERMINAL = frozenset({"succeeded", "completed", "failed", "canceled"})
"""Statuses a run never leaves."""


@dataclass(frozen=True)
class Event:
    """Something that happened to a run.

    Attributes:
        kind: `started` (the run was created), `retrying` (an attempt failed and another follows) or `ended`.
        run: The run as the API shows it.
    """

    kind: str
    run: dict[str, Any]


class Ledger:
    """Tells what happened between two looks at the list of runs."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, None] = OrderedDict()
        self._tries: dict[str, int] = {}

    @property
    def open_ids(self) -> list[str]:
        """Return the runs that were started and have not been seen to end, oldest first."""
        return list(self._tries)

    def observe(self, runs: Iterable[dict[str, Any]]) -> list[Event]:
        """Return what is new in some runs, oldest run first.

        Args:
            runs: Runs newest first, as the list route answers; it need not contain every run.
        """
        events = []
        for run in reversed(list(runs)):
            events += self._events_of(run)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return events

    def forget(self, run_id: str) -> None:
        """Stop following a run, for one that no longer exists."""
        self._tries.pop(run_id, None)

    def _events_of(self, run: dict[str, Any]) -> list[Event]:
        identity, tries = run["id"], len(run.get("attempts") or ())
        events = []
        if identity not in self._known:
            self._known[identity] = None
            self._tries[identity] = tries
            events.append(Event("started", run))
        if identity not in self._tries:
            return events
        if run["status"] in TERMINAL:
            del self._tries[identity]
            events.append(Event("ended", run))
        elif tries > max(self._tries[identity], 1):
            events.append(Event("retrying", run))
            self._tries[identity] = tries
        return events


def moment_of(event: Event) -> str:
    """Return when an event happened, as the API wrote it."""
    run = event.run
    if event.kind == "started":
        return str(run["createdAt"])
    if event.kind == "retrying":
        return str(run["attempts"][-1].get("enqueuedAt") or run["createdAt"])
    return str(run.get("completedAt") or run["createdAt"])


def line_for(event: Event, now: datetime) -> Text:
    """Return the line that tells an event."""
    run = event.run
    if event.kind == "started":
        body = Text.assemble(("▶ ", "cyan"), (_name(run), "bold"), ("  started", "dim"))
    elif event.kind == "retrying":
        body = Text.assemble(("↻ ", "yellow"), (_name(run), "bold"), (f"  attempt {len(run['attempts'])}", "yellow"))
        body.append(f"  {_last_error(run)}".rstrip(), style="yellow")
    else:
        body = trees.label_for(run, now)
    line = Text.assemble((durations.local_clock(moment_of(event)), "dim"), "  ", body)
    return line.append(f"  {run['id']}", style="dim")


def condensed(events: list[Event], limit: int = 30) -> tuple[list[Event], Text | None]:
    """Return the events to tell one by one, and a line that sums up the others if there are too many.

    Args:
        events: What happened, in order.
        limit: The most lines to fill. Failures are kept, then what came first.
    """
    if len(events) <= limit:
        return events, None
    ranked = sorted(range(len(events)), key=lambda index: (events[index].run["status"] != "failed", index))
    kept = sorted(ranked[: limit - 1])
    visible = set(kept)
    rest = Counter(
        event.kind if event.kind != "ended" else str(event.run["status"])
        for index, event in enumerate(events)
        if index not in visible
    )
    sums = ", ".join(f"{count} {what}" for what, count in rest.most_common())
    return [events[index] for index in kept], Text(f"… and {rest.total()} more: {sums}", style="dim")


def timeline(
    events: Sequence[Event], printed: Sequence[logs.Entry], names: dict[str, str], now: datetime
) -> list[Text]:
    """Return lines for events and for what tasks printed meanwhile, in the order of time.

    Args:
        events: Events, a parent before its children.
        printed: Log lines, oldest first.
        names: Task names by run id, for the log lines.
        now: The current time.
    """
    # Within a millisecond: starts, then what was printed, then ends, children before their parents.
    lines = [((entry["timestamp"], 1, index), logs.line_for(entry, names)) for index, entry in enumerate(printed)]
    for index, event in enumerate(events):
        rank = (2, -index) if event.kind == "ended" else (0, index)
        lines.append(((moment_of(event), *rank), line_for(event, now)))
    return [line for _, line in sorted(lines, key=itemgetter(0))]


def _name(run: dict[str, Any]) -> str:
    return str(run.get("taskName") or run.get("task") or "run")


def _last_error(run: dict[str, Any]) -> str:
    errors = [str(attempt["error"]).strip() for attempt in run["attempts"] if attempt.get("error")]
    line = errors[-1].partition("\n")[0] if errors else ""
    return line if len(line) <= _ERROR_LENGTH else line[: _ERROR_LENGTH - 1] + "…"
