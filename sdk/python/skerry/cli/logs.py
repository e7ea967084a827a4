"""Log lines of runs: reading them by cursor, and drawing one."""

from typing import Any

from rich.text import Text

from skerry.cli import connections, durations

Entry = dict[str, Any]
"""A log line as the API answers it."""

_PAGE = 1000
"""Lines asked for at once."""

_TAG_WIDTH = 16


class Reader:
    """Reads the log of a run and its descendants from where the last reading ended.

    Args:
        server: The server.
        run_id: The run.
        descendants: Whether lines of child runs are included.
    """

    def __init__(self, server: connections.Connection, run_id: str, descendants: bool = True) -> None:
        self._server = server
        self._path = f"/v1/task-runs/{connections.segment(run_id)}/logs"
        self._descendants = descendants
        self._cursor: str | None = None

    def read(self) -> list[Entry]:
        """Return the lines that are new since the last call, oldest first."""
        entries: list[Entry] = []
        while True:
            page = self._server.get(
                self._path,
                cursor=self._cursor,
                limit=_PAGE,
                includeDescendants="true" if self._descendants else "false",
            )
            entries += page["logs"]
            self._cursor = page.get("cursor") or self._cursor
            if len(page["logs"]) < _PAGE:
                return entries


def line_for(entry: Entry, names: dict[str, str]) -> Text:
    """Return one log line: local time, which task said it (and in which attempt), and the message.

    Args:
        entry: The line as the API answers it.
        names: Task names by run id; a run that is missing is named by its labels or its id.
    """
    tag = names.get(entry["taskRunId"]) or _label(entry, "task").rpartition("/")[2] or entry["taskRunId"]
    if entry.get("attempt"):
        tag += f"#{entry['attempt'] + 1}"
    # Decoded, so that a program's own colours are kept and other control characters cannot reach the terminal.
    message = Text.from_ansi(str(entry["message"]))
    if entry.get("stream") == "stderr":
        message.stylize_before("yellow")
    return Text.assemble(
        (durations.local_clock(entry.get("timestamp")), "dim"), "  ", (f"{tag:<{_TAG_WIDTH}}", "blue"), "  ", message
    )


def echoed(line: dict[str, Any]) -> Entry | None:
    """Return a line of a runner's output as a log line if it repeats what a task wrote, else None."""
    if not {"run", "task", "time", "line"} <= line.keys():
        return None
    return {
        "timestamp": line["time"],
        "taskRunId": line["run"],
        "stream": line.get("stream"),
        "message": line["line"],
        "labels": [{"name": "task", "value": line["task"]}],
    }


def _label(entry: Entry, name: str) -> str:
    for label in entry.get("labels") or ():
        if label.get("name") == name:
            return str(label["value"])
    return ""
