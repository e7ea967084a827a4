"""Labels: what a log line is about, under the names that Render's clients know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Row = Mapping[Any, Any]

LabelName = Literal["taskRun", "task", "resource", "level", "type"]


@dataclass(frozen=True, slots=True)
class Label:
    """One label: its value, and the columns of a line that it is made from."""

    columns: tuple[str, ...]
    value: Callable[[Row], str]


LABELS: dict[LabelName, Label] = {
    "taskRun": Label(("run_id",), lambda line: str(line["run_id"])),
    "task": Label(("workflow", "task"), lambda line: f"{line['workflow']}/{line['task']}"),
    "resource": Label(("workflow",), lambda line: str(line["workflow"])),
    "level": Label(("stream",), lambda line: "error" if line["stream"] == "stderr" else "info"),
    # The same for every line; the column only tells whether there is one.
    "type": Label(("stream",), lambda _line: "app"),
}


def labels_of(line: Row) -> list[dict[str, str]]:
    """All labels of a line."""
    return [{"name": name, "value": label.value(line)} for name, label in LABELS.items()]
