"""What `skerry dev` tells while it runs: runs that start and end, and what each saved change did."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from skerry.cli import changes, connections, logs, records, tables, workflows

_PAGE = 100
_STRAGGLERS = 20
"""Runs no longer on the newest page that are asked for one by one, each time."""

_PRINTED = 200
"""Lines written by tasks that are shown at once, at most."""

_REGISTRATION_SECONDS = 45.0
_PAUSE_SECONDS = 0.2

Show = Callable[[RenderableType], None]
Version = dict[str, Any]


class Follower:
    """Looks at a development server again and again, and shows what changed.

    Args:
        server: The server.
        show: Where to print.
    """

    def __init__(self, server: connections.Connection, show: Show) -> None:
        self._server = server
        self._show = show
        self._ledger = records.Ledger()
        self._told: set[tuple[str, str, str]] = set()
        self.tasks: list[dict[str, Any]] = []
        self.failed: Version | None = None

    def wait_registered(self, check: Callable[[], None], since: datetime) -> None:
        """Wait until the tasks have been registered, or could not be; then `tasks` or `failed` says what came of it.

        Args:
            check: Raises if the server is gone.
            since: When the server was started: what was registered before does not count, except when nothing
                new comes.
        """
        deadline = time.monotonic() + _REGISTRATION_SECONDS
        versions = self._versions()
        while time.monotonic() < deadline:
            fresh = [version for version in versions if _settled(version) and _settled_at(version) >= since]
            if fresh:
                break
            check()
            time.sleep(_PAUSE_SECONDS)
            versions = self._versions()
        newest = next((version for version in versions if _settled(version)), None)
        self._told = {_key(version) for version in versions if _settled(version)}
        self.failed = newest if newest is not None and newest["status"] != "ready" else None
        self.tasks = self._server.records("/v1/tasks", "task")
        self._ledger.observe(self._newest_runs())

    def look(self, printed: Sequence[logs.Entry] = ()) -> None:
        """Show what happened since the last look, in the order of time.

        Args:
            printed: What tasks have written meanwhile.
        """
        self._look_at_versions()
        events, sum_of_events = records.condensed(self._new_events())
        for line in records.timeline(events, printed[:_PRINTED], {}, datetime.now(UTC)):
            self._show(line)
        if sum_of_events is not None:
            self._show(sum_of_events)
        if len(printed) > _PRINTED:
            self._show(Text(f"… and {len(printed) - _PRINTED} more lines: see `skerry runs logs`", style="dim"))

    def _look_at_versions(self) -> None:
        for version in reversed(self._versions()):
            if not _settled(version) or _key(version) in self._told:
                continue
            self._told.add(_key(version))
            if version["status"] == "ready":
                self._show_reload()
            else:
                self._show(failure(version, still_serving=bool(self.tasks)))

    def _show_reload(self) -> None:
        tasks = self._server.records("/v1/tasks", "task")
        self._show(changes.line_for(changes.compare(self.tasks, tasks)))
        self.tasks = tasks

    def _new_events(self) -> list[records.Event]:
        runs = self._newest_runs()
        listed = {run["id"] for run in runs}
        events = self._ledger.observe(runs)
        missing = [run_id for run_id in self._ledger.open_ids if run_id not in listed][:_STRAGGLERS]
        for run_id in missing:
            try:
                run = self._server.get(f"/v1/task-runs/{connections.segment(run_id)}")
            except connections.Refused:
                self._ledger.forget(run_id)
            else:
                events += self._ledger.observe([run])
        return events

    def _newest_runs(self) -> list[dict[str, Any]]:
        return self._server.records("/v1/task-runs", "taskRun", _PAGE)

    def _versions(self) -> list[Version]:
        return self._server.records("/v1/workflowversions", "workflowVersion", 5)


def failure(version: Version, still_serving: bool) -> RenderableType:
    """Return why a version could not be registered, as a panel with the traceback.

    Args:
        version: The failed version.
        still_serving: Whether an earlier version goes on working.
    """
    title = "Your tasks could not be loaded"
    title += "; still serving the last good version" if still_serving else ""
    return tables.panel(str(version.get("error") or "No reason was given.").rstrip(), title)


def _settled(version: Version) -> bool:
    return version["status"] in {"ready", *workflows.FAILED}


def _settled_at(version: Version) -> datetime:
    stamp = version.get("readyAt") or version.get("updatedAt") or version["createdAt"]
    moment = datetime.fromisoformat(stamp)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _key(version: Version) -> tuple[str, str, str]:
    return (version["id"], version["status"], str(version.get("readyAt") or version.get("error") or ""))
