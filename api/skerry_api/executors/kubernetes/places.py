"""Where attempts run, copied from TaskRuns into the record: once for each that tells something new, and many at a time."""

from __future__ import annotations

from collections.abc import Iterable

from skerry_api.executors.kubernetes.decisions import place_of
from skerry_api.executors.kubernetes.reflections import Reflection
from skerry_api.storage.databases import Database, plan_anew
from skerry_api.storage.launches import Place, note_places
from skerry_objects.task_runs import TaskRun

_AT_ONCE = 1000


class Places:
    """Remembers what was written, so that a TaskRun that says the same again costs nothing."""

    def __init__(self, database: Database, seen: Reflection[TaskRun]) -> None:
        """`seen` are the TaskRuns as the API server shows them."""
        self._database = database
        self._seen = seen
        self._written: dict[str, Place] = {}

    async def write(self, names: Iterable[str]) -> None:
        """Record where the attempts of these TaskRuns run, as far as that is news.

        Raises:
            Unavailable: Postgres is away.
        """
        news: list[tuple[str, Place]] = []
        for name in names:
            seen = self._seen.objects.get(name)
            place = None if seen is None else place_of(seen)
            if seen is None:
                self._written.pop(name, None)
            elif place is not None and self._written.get(name) != place:
                news.append((name, place))
        for begin in range(0, len(news), _AT_ONCE):
            part = dict(news[begin : begin + _AT_ONCE])
            async with self._database.transaction() as connection:
                await plan_anew(connection)
                await note_places(connection, list(part.values()))
            self._written |= part
