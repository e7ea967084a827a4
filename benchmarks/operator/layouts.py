"""What the tables have in common."""

from __future__ import annotations

from rich.table import Table

MEGABYTE = 1_000_000
PARTS = ("client", "operator", "controller manager", "API server", "etcd", "scheduler", "kwok")


def table(title: str, *columns: str) -> Table:
    """An empty table whose columns hold figures, but for the first."""
    made = Table(title=title, title_justify="left")
    made.add_column("")
    for column in columns:
        made.add_column(column, justify="right", no_wrap=True)
    return made


def each_ms(seconds: float, count: int) -> float:
    """Processor milliseconds for each of so many objects."""
    return seconds * 1000 / count
