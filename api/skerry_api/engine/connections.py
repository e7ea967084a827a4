"""The runners connected to this process, and which of them works on which attempt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from skerry_api.engine.sessions import Session


class Connections:
    """The runners connected to this process."""

    def __init__(self) -> None:
        """Start with none."""
        self._by_runner: dict[str, Session] = {}
        self._by_attempt: dict[str, Session] = {}

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._by_runner.values()))

    def __len__(self) -> int:
        return len(self._by_runner)

    def add(self, session: Session) -> None:
        """A runner connected; an older connection of the same runner is dropped."""
        older = self._by_runner.pop(session.runner_id, None)
        if older is not None:
            older.close()
        self._by_runner[session.runner_id] = session

    def remove(self, session: Session) -> None:
        """A connection ended."""
        if self._by_runner.get(session.runner_id) is session:
            del self._by_runner[session.runner_id]
        session.close()

    def of_runner(self, runner_id: str) -> Session | None:
        """The session of a runner."""
        return self._by_runner.get(runner_id)

    def hold(self, attempt: str, session: Session) -> None:
        """An attempt is worked on in a session."""
        self._by_attempt[attempt] = session

    def let_go(self, attempt: str, session: Session) -> None:
        """An attempt is no longer worked on in a session."""
        if self._by_attempt.get(attempt) is session:
            del self._by_attempt[attempt]

    def stop_attempts(self, attempts: Iterable[str], reason: str) -> None:
        """Stop those attempts that are worked on here."""
        for attempt in attempts:
            session = self._by_attempt.get(attempt)
            if session is not None:
                session.stop_attempt(attempt, reason)

    @property
    def held_attempts(self) -> list[str]:
        """Every attempt worked on here."""
        return [attempt for session in self._by_runner.values() for attempt in session.held_attempts]

    @property
    def busy_runners(self) -> list[str]:
        """Runners that hold attempts, and whose leases must be renewed."""
        return [runner_id for runner_id, session in self._by_runner.items() if session.holds]
