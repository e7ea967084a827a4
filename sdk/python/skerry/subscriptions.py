"""Server-sent events: lines to events, and what each subscription makes of them. No I/O; both clients follow it."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from skerry.models import LogLine, Run, ServerEvent
from skerry.requests import query

T = TypeVar("T")

# As far as a server goes back when it is asked to follow a run.
_REMEMBERED_LINES = 1000


class EventReader:
    """Collects lines until they are an event."""

    def __init__(self) -> None:
        """Start between events."""
        self._event = "message"
        self._id: str | None = None
        self._data: list[str] = []

    def feed(self, line: str) -> ServerEvent | None:
        """Add one line without its end; the event once it is complete."""
        if not line:
            return self._finish()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id":
            self._id = value
        return None

    def _finish(self) -> ServerEvent | None:
        event, data = self._event, self._data
        self._event, self._data = "message", []
        if not data:
            return None
        text = "\n".join(data)
        try:
            return ServerEvent(event, json.loads(text), self._id)
        except ValueError:
            return ServerEvent(event, text, self._id)


class Subscription(Generic[T]):
    """A stream of events: where it is, and what comes of each event. A broken connection is taken up again.

    Attributes:
        outlives_stream: whether more is expected when the server ends the stream in good order.
    """

    outlives_stream = False

    def __init__(self, path: str, params: Sequence[tuple[str, str]] = ()) -> None:
        """Subscribe to `path`."""
        self.path = path
        self.params = params

    @property
    def done(self) -> bool:
        """Whether nothing more is expected."""
        return False

    def receive(self, event: ServerEvent) -> Iterator[T]:
        """What `event` means to the subscriber."""
        raise NotImplementedError


class RawEvents(Subscription[ServerEvent]):
    """Any stream, as it comes."""

    def receive(self, event: ServerEvent) -> Iterator[ServerEvent]:
        """The event itself."""
        yield event


class FinishedRuns(Subscription[Run]):
    """Each of some runs once, when it has finished.

    The server repeats finished runs to whoever connects, so a broken stream loses none.
    """

    outlives_stream = True

    def __init__(self, run_ids: Sequence[str]) -> None:
        """Wait for `run_ids`."""
        super().__init__("/v1/task-runs/events", query(taskRunIds=list(run_ids)))
        self._missing = set(run_ids)

    @property
    def done(self) -> bool:
        """Whether all runs have finished."""
        return not self._missing

    def receive(self, event: ServerEvent) -> Iterator[Run]:
        """The run, unless it was seen before."""
        if event.event.startswith("task.") and isinstance(event.data, Mapping):
            run = Run.from_json(event.data)
            if run.finished and run.id in self._missing:
                self._missing.discard(run.id)
                yield run


class FollowedLogs(Subscription[LogLine]):
    """The lines of a run while it writes them. After a broken connection lines that came before are left out."""

    def __init__(self, run_id: str) -> None:
        """Follow `run_id`."""
        super().__init__("/v1/logs/subscribe", query(taskRun=run_id))
        self._seen: deque[str] = deque(maxlen=_REMEMBERED_LINES)

    def receive(self, event: ServerEvent) -> Iterator[LogLine]:
        """The line, unless it was seen before."""
        if event.event == "log" and isinstance(event.data, Mapping):
            line = LogLine.from_json(event.data)
            if line.id not in self._seen:
                self._seen.append(line.id)
                yield line


def any_events(path: str, *, params: Mapping[str, Any] | None = None) -> Subscription[ServerEvent]:
    """The events of any route that streams."""
    return RawEvents(path, query(**(params or {})))


def finished_runs(run_ids: Sequence[str]) -> Subscription[Run]:
    """Each of `run_ids` when it has finished; ends after the last."""
    return FinishedRuns(run_ids)


def followed_logs(run_id: str) -> Subscription[LogLine]:
    """The lines of a run as it writes them, until the server ends the stream."""
    return FollowedLogs(run_id)
