"""What a new registration changed in the set of tasks. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

_TELLING = ("parameters", "inputSchema", "plan", "timeoutSeconds", "retry", "description")
"""The fields of a task whose change is worth telling."""


@dataclass(frozen=True)
class Changes:
    """The difference between two sets of tasks, as sorted task names."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


def compare(before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]]) -> Changes:
    """Return what differs between two lists of tasks, matched by name."""
    old, new = ({task["name"]: task for task in tasks} for tasks in (before, after))
    return Changes(
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
        changed=tuple(
            sorted(
                name
                for name in new.keys() & old.keys()
                if any(new[name].get(field) != old[name].get(field) for field in _TELLING)
            )
        ),
    )


def line_for(changes: Changes) -> Text:
    """Return one line that tells a reload and its changes."""
    line = Text("Reloaded", style="bold cyan")
    for mark, names, style in (
        ("+", changes.added, "green"),
        ("-", changes.removed, "red"),
        ("~", changes.changed, "yellow"),
    ):
        for name in names:
            line.append(f"  {mark} {name}", style=style)
    if changes == Changes():
        line.append("  the new code; tasks and their options are as before", style="dim")
    return line
