"""Tables on the terminal."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from benchmarks.rounds import Record
from benchmarks.samples import Summary

NOTHING = "-"
FILE_WIDTH = 150


def figure(value: float | None, unit: str = "") -> str:
    """Three significant digits for small figures, whole numbers with separators for large ones."""
    if value is None:
        return NOTHING
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}{unit}"


def pair(found: Summary | None) -> str:
    """Median and 99th percentile in milliseconds."""
    return NOTHING if found is None else f"{figure(found.p50)} / {figure(found.p99)}"


@dataclass(frozen=True)
class Sheet:
    """One table.

    Attributes:
        title: Above it.
        columns: Headings; the first `texts` of them hold text, the others figures.
        rows: One for each record.
        texts: How many columns hold text.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: int = 1


def show(sheets: Sequence[Sheet], records: Sequence[Record], foot: str) -> None:
    """Print tables about the same systems, what is missing from them and why, and the conditions."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=FILE_WIDTH)
    for sheet in sheets:
        table = Table(title=sheet.title, title_justify="left")
        for place, column in enumerate(sheet.columns):
            table.add_column(column, justify="left" if place < sheet.texts else "right", no_wrap=place >= sheet.texts)
        for record, row in zip(records, sheet.rows, strict=True):
            table.add_row(*row, style="dim" if record.system.is_limit else None)
        console.print(table)
    for record in records:
        if record.problem:
            console.print(f"{record.system.name}: {record.problem}", markup=False, style="yellow")
    console.print(foot, markup=False, highlight=False, style="dim")
