"""What the figures of `python -m benchmarks.cluster.warm` should come to, and the table that shows both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from benchmarks.tables import figure


@dataclass(frozen=True)
class Aim:
    """A bound that a figure should keep."""

    bound: float
    at_least: bool = False

    def met(self, value: float) -> bool:
        """Whether a figure keeps it."""
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        """The bound as a person would write it."""
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}"


# By section, figure and, of several timings, percentile.
AIMS = {
    ("latency", "to code ms", "p50"): Aim(5),
    ("latency", "to code ms", "p99"): Aim(25),
    ("burst", "to code ms", "p50"): Aim(20),
    ("burst", "to code ms", "p99"): Aim(100),
    ("hop", "to child's code ms", "p50"): Aim(10),
    ("process", "runs/s", ""): Aim(300, at_least=True),
    ("cold-burst", "ratio", ""): Aim(0.9, at_least=True),
    ("memory", "difference MiB", ""): Aim(30),
    ("idle", "task Pods", ""): Aim(0),
}


def table(found: Mapping[str, Mapping[str, Any]]) -> Table:
    """All figures, with those that were aimed at."""
    shown = Table("", "figure", "", "aim", title="Warm Pods", title_justify="left")
    for column in shown.columns[2:]:
        column.justify = "right"
    for section, figures in found.items():
        for number, (name, value, aim) in enumerate(_rows(section, figures)):
            shown.add_row(section if number == 0 else "", name, value, aim)
        shown.add_section()
    return shown


def missed(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Aims that a figure did not keep, in words."""
    words = []
    for (section, name, part), aim in AIMS.items():
        value = found.get(section, {}).get(name)
        if isinstance(value, dict):
            value = value.get(part)
        if isinstance(value, int | float) and not aim.met(value):
            words.append(f"{section}: {name} {part}".rstrip() + f" is {figure(value)}, not {aim}")
    return words


def _rows(section: str, figures: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, value in figures.items():
        if isinstance(value, dict) and "p50" in value:
            aims = [str(aim) for part in ("p50", "p99") if (aim := AIMS.get((section, name, part)))]
            both = f"{figure(value['p50'])} / {figure(value['p99'])}"
            yield f"{name}, p50 / p99 of {value['count']}", both, " / ".join(aims)
        elif isinstance(value, dict):
            yield from ((f"{name}, {part}", figure(each), "") for part, each in value.items())
        else:
            shown = figure(value) if isinstance(value, float) else str(value)
            yield name, shown, str(AIMS.get((section, name, ""), ""))
