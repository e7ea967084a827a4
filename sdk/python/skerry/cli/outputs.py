"""Where text goes: answers to stdout, everything else to stderr, colour only on a terminal."""

import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import IO, Any

from rich.console import Console, RenderableType
from rich.json import JSON
from rich.table import Table
from rich.text import Text

from skerry.cli import problems

_UNBOUNDED = 4000
"""Columns of a line that is not for a terminal: wide enough that nothing is cut or wrapped."""

STATUS_STYLES = {
    "pending": "yellow",
    "running": "cyan",
    "paused": "blue",
    "succeeded": "green",
    "completed": "green",
    "failed": "red",
    "canceled": "magenta",
    "ready": "green",
    "registration_failed": "red",
}

STATUS_MARKS = {
    "pending": "○",
    "running": "●",
    "paused": "◍",
    "succeeded": "✓",
    "completed": "✓",
    "failed": "✗",
    "canceled": "⊘",
}


def stdout() -> Console:
    """Return the console for answers."""
    return _console(sys.stdout)


def stderr() -> Console:
    """Return the console for progress and problems."""
    return _console(sys.stderr)


def is_terminal() -> bool:
    """Return whether a person is watching: stdout is a terminal that can move its cursor."""
    console = stdout()
    return console.is_terminal and not console.is_dumb_terminal


def show(*renderables: RenderableType) -> None:
    """Print to stdout, one renderable a line or block."""
    console = stdout()
    for renderable in renderables:
        console.print(renderable, soft_wrap=isinstance(renderable, Text))


def note(message: str, style: str = "dim") -> None:
    """Print a remark to stderr, so that it never mixes with an answer."""
    stderr().print(Text(message, style=style), soft_wrap=True)


def progress(message: str) -> AbstractContextManager[object]:
    """Return a context that shows a spinner on stderr while it lasts, if a person is watching."""
    return stderr().status(Text(message)) if is_terminal() else nullcontext()


def report(problem: problems.Problem) -> None:
    """Print a problem and what to do about it to stderr."""
    console = stderr()
    console.print(Text.assemble(("Error: ", "bold red"), problem.message), soft_wrap=True)
    if problem.hint:
        console.print(Text(problem.hint, style="dim"), soft_wrap=True)


def show_json(value: Any) -> None:
    """Print JSON for programs to stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def show_json_line(value: Any) -> None:
    """Print one JSON value on a line of its own, for streams."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> Table:
    """Return a table without lines, as command lines print them.

    Args:
        columns: The headings.
        rows: The cells; plain strings are shown literally, never as markup.
    """
    result = Table(box=None, pad_edge=False, show_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for index, column in enumerate(columns):
        result.add_column(column.upper(), overflow="fold" if index == 0 else "ellipsis", no_wrap=True)
    for row in rows:
        result.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    return result


def status(name: str, label: str | None = None) -> Text:
    """Return a status with its mark and colour.

    Args:
        name: The status, as the API spells it.
        label: What to write instead of the status itself.
    """
    mark = STATUS_MARKS.get(name)
    words = label if label is not None else name
    return Text(f"{mark} {words}".rstrip() if mark else words, style=STATUS_STYLES.get(name, ""))


def payload(value: Any) -> JSON:
    """Return an input or a result as indented, coloured JSON."""
    return JSON.from_data(value, indent=2, ensure_ascii=False)


def compact(value: Any, limit: int = 80) -> str:
    """Return a value as JSON on one line, cut after `limit` characters."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _console(stream: IO[str]) -> Console:
    width = None if stream.isatty() else _UNBOUNDED
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)
