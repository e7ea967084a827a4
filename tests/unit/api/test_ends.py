"""Ends of runs: who expects them learns that they are over, who listens learns what they ended with."""

from __future__ import annotations

from collections.abc import Sequence

from skerry_api.domain.states import RunStatus
from skerry_api.engine.ends import Ends
from skerry_api.storage.runs import Finished

OVER = Finished("a", RunStatus.SUCCEEDED, None, "[1]")


class Record:
    """Says that run `a` is over, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    async def fetch_finished(self, run_ids: Sequence[str]) -> list[Finished]:
        self.asked.append(sorted(run_ids))
        return [OVER] if "a" in run_ids else []


async def test_news_of_an_end_wakes_who_expects_it_without_a_read() -> None:
    record, heard = Record(), list[Finished]()
    ends = Ends(record.fetch_finished)
    ends.listen("a", heard.append)
    with ends.expect(["a", "b"]) as expected:
        ends.meet("a")
        assert await expected.first(5) == "a"
        assert await expected.first(0) is None
    assert (record.asked, heard) == ([], [])
    assert ends.heeds("a")
    assert ends.awaited == {"a"}


async def test_an_announced_end_reaches_both_once() -> None:
    heard = list[Finished]()
    ends = Ends(Record().fetch_finished)
    ends.listen("a", heard.append)
    with ends.expect(["a"]) as first, ends.expect(["a"]) as second:
        ends.announce(OVER)
        ends.announce(OVER)
        assert [run_id async for run_id in first.all(5)] == ["a"]
        assert [run_id async for run_id in second.all(5)] == ["a"]
    assert heard == [OVER]
    assert ends.awaited == set()


async def test_what_nobody_told_of_the_record_tells() -> None:
    record, heard = Record(), list[Finished]()
    ends = Ends(record.fetch_finished)
    ends.listen("c", heard.append)
    with ends.expect(["a", "b"]) as expected:
        await ends.catch_up(["a", "nobody waits for this"])
        assert await expected.first(5) == "a"
        await ends.catch_up()
    assert record.asked == [["a"], ["b", "c"]]


async def test_who_no_longer_waits_leaves_nothing_behind() -> None:
    ends = Ends(Record().fetch_finished)
    with ends.expect(["a", "b"]), ends.expect(["b"]):
        assert ends.awaited == {"a", "b"}
    assert ends.awaited == set()
