"""Server-sent events: lines to events, and what each subscription makes of them. No I/O; both clients follow it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from skerry.models import LogLine, Run, ServerEvent
from skerry.requests.conversations import Operation, query
from skerry.requests.runs import get_run

T = TypeVar("T")


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
        last_id: the last event's id; a server that gives ids continues after it.
    """

    last_id: str | None = None

    def __init__(self, path: str, params: Sequence[tuple[str, str]] = ()) -> None:
        """Subscribe to `path`."""
        self.path = path
        self.params = params

    def is_done(self) -> bool:
        """Whether nothing more is expected."""
        return False

    def over(self) -> Operation[bool]:
        """Whether that was all, asked when the server has ended the stream: it also does so when it stops or tires."""
        yield from ()
        return True

    def receive(self, event: ServerEvent) -> Iterator[T]:
        """What `event` means to the subscriber."""
        self.last_id = event.id or self.last_id
        yield from self.read(event)

    def read(self, event: ServerEvent) -> Iterator[T]:
        """The items in `event`."""
        raise NotImplementedError


class RawEvents(Subscription[ServerEvent]):
    """Any stream, as it comes."""

    def read(self, event: ServerEvent) -> Iterator[ServerEvent]:
        """The event itself."""
        yield event


class FinishedRuns(Subscription[Run]):
    """Each of some runs once, when it has finished.

    The server repeats finished runs to whoever connects, so a broken stream loses none.
    """

    def __init__(self, run_ids: Sequence[str]) -> None:
        """Wait for `run_ids`."""
        super().__init__("/v1/task-runs/events", query(taskRunIds=list(run_ids)))
        self._missing = set(run_ids)

    def is_done(self) -> bool:
        """Whether all runs have finished."""
        return not self._missing

    def over(self) -> Operation[bool]:
        """Only when all runs have finished."""
        yield from ()
        return self.is_done()

    def read(self, event: ServerEvent) -> Iterator[Run]:
        """The run, unless it was seen before."""
        if event.event.startswith("task.") and isinstance(event.data, Mapping):
            run = Run.from_json(event.data)
            if run.finished and run.id in self._missing:
                self._missing.discard(run.id)
                yield run


class FollowedLogs(Subscription[LogLine]):
    """The lines of a run while it writes them, each once."""

    def __init__(self, run_id: str, include_descendants: bool) -> None:
        """Follow `run_id`."""
        params = query(taskRun=run_id, includeDescendants=include_descendants or None)
        super().__init__("/v1/logs/subscribe", params)
        self._run_id = run_id

    def over(self) -> Operation[bool]:
        """Only when the run has finished."""
        run = yield from get_run(self._run_id)
        return run.finished

    def read(self, event: ServerEvent) -> Iterator[LogLine]:
        """The line."""
        if event.event == "log" and isinstance(event.data, Mapping):
            yield LogLine.from_json(event.data)


def any_events(path: str, *, params: Mapping[str, Any] | None = None) -> Subscription[ServerEvent]:
    """The events of any route that streams."""
    return RawEvents(path, query(**(params or {})))


def finished_runs(run_ids: Sequence[str]) -> Subscription[Run]:
    """Each of `run_ids` when it has finished; ends after the last."""
    return FinishedRuns(run_ids)


def followed_logs(run_id: str, *, include_descendants: bool = False) -> Subscription[LogLine]:
    """The lines of a run as it writes them, from its first, until it has finished."""
    return FollowedLogs(run_id, include_descendants)
