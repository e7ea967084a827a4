"""What the session keeps until it is acknowledged."""

from __future__ import annotations

import pytest

from skerry_runner import sessions
from skerry_runner.messages import Limits
from skerry_runner.sessions import Session
from skerry_runner.settings import Settings


@pytest.fixture
async def session() -> Session:
    return Session(Settings(url="http://127.0.0.1:1", runner="r", pool="p", version="v"), Limits())


async def test_messages_are_kept_until_acknowledged(session: Session) -> None:
    session.keep("a", 1, b"1")
    session.keep("a", 2, b"2")
    session.release("a", 1)
    session.release("b", 1)
    assert not session.settled
    session.release("a", 2)
    assert session.settled


async def test_committed_end_stands_for_all_but_the_logs(session: Session) -> None:
    session.keep("a", 1, b"started")
    session.keep("a", "call", b"spawn")
    assert session.keep_logs("a", 2, b"logs")
    session.keep("a", 3, b"complete")
    session.conclude("a")
    assert not session.settled
    session.release("a", 2)
    assert session.settled


async def test_logs_are_kept_within_bounds(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "_KEPT_LOG_BYTES", 10)
    assert session.keep_logs("a", 1, b"x" * 8)
    assert not session.keep_logs("a", 2, b"x" * 8)
    session.forget("a")
    assert session.keep_logs("b", 1, b"x" * 8)
