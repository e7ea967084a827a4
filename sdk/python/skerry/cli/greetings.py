"""The page `skerry dev` opens with. Pure."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from skerry.cli import samples, tables


def greeting(tasks: Sequence[dict[str, Any]], url: str, watching: bool) -> Group:
    """Return the tasks, the addresses, and how to start a run.

    Args:
        tasks: The registered tasks.
        url: The server's address.
        watching: Whether changed files are registered again.
    """
    parts: list[RenderableType] = [
        Text(),
        tables.tasks_table(tasks) if tasks else Text("No tasks yet.", style="yellow"),
        Text(),
        tables.facts([("API", f"{url}/v1"), ("Dashboard", url), ("Schema", f"{url}/openapi.json")]),
        Text(),
    ]
    if tasks:
        parts.append(Text("Start a run from another terminal:", style="dim"))
        parts += [Text(f"  {make(_easiest(tasks), url)}") for make in (samples.start_command, samples.curl_command)]
        parts.append(Text())
    ending = "Watching your files. " if watching else ""
    parts += [Text(f"{ending}Ctrl-C stops everything.", style="dim"), Text()]
    return Group(*parts)


def _easiest(tasks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    # Of equally easy ones the last: a task that uses others is usually written after them.
    return min(reversed(tasks), key=lambda task: len(samples.arguments_for(task)))
