"""Capturing and limiting output."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest

from skerry_runner.logs import Capture, LogBook, echo_for
from skerry_runner.messages import Limits, LogEntry, Stream


class Lines:
    def __init__(self) -> None:
        self.all: list[tuple[Stream, bytes]] = []

    def take(self, stream: Stream, lines: list[bytes]) -> None:
        self.all += [(stream, line) for line in lines]


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def capture(lines: Lines) -> Iterator[Capture]:
    capture = Capture("stdout", Limits(log_line_bytes=10), lines.take)
    yield capture
    os.close(capture.write_fd)
    os.close(capture._read_fd)


def test_lines_are_put_together_across_reads(capture: Capture, lines: Lines) -> None:
    os.write(capture.write_fd, b"one\ntw")
    capture._read()
    assert lines.all == [("stdout", b"one")]
    os.write(capture.write_fd, b"o\n\nrest")
    capture.drain()
    assert lines.all == [("stdout", b"one"), ("stdout", b"two"), ("stdout", b""), ("stdout", b"rest")]


def test_long_line_is_cut_however_it_arrives(capture: Capture, lines: Lines) -> None:
    for piece in (b"x" * 8, b"x" * 8, b"x" * 4 + b"\n" + b"y\n"):
        os.write(capture.write_fd, piece)
        capture._read()
    assert [line.decode() for _, line in lines.all] == ["x" * 10 + " … 10 bytes cut", "y"]


def test_pipe_made_non_blocking_by_one_process_blocks_for_the_next(capture: Capture) -> None:
    os.set_blocking(capture.write_fd, False)
    capture.prepare()
    assert os.get_blocking(capture.write_fd)


class Wire:
    def __init__(self) -> None:
        self.batches: list[list[LogEntry]] = []
        self.takes = True

    def send(self, entries: list[LogEntry]) -> bool:
        self.batches.append(entries)
        return self.takes

    @property
    def lines(self) -> list[str]:
        return [entry["line"] for batch in self.batches for entry in batch]


@pytest.fixture
def wire() -> Wire:
    return Wire()


async def test_lines_leave_together_after_a_moment(wire: Wire) -> None:
    book = LogBook(Limits(), wire.send, echo_for("none", {}))
    book.add("stdout", [b"a"])
    book.add("stderr", [b"b"])
    assert not wire.batches
    await asyncio.sleep(0.15)
    assert [[entry["line"] for entry in batch] for batch in wire.batches] == [["a", "b"]]


async def test_full_batch_leaves_at_once(wire: Wire) -> None:
    book = LogBook(Limits(), wire.send, echo_for("none", {}))
    book.add("stdout", [b"x"] * 200)
    assert len(wire.lines) == 200


async def test_what_exceeds_the_rate_is_counted(wire: Wire) -> None:
    book = LogBook(Limits(log_lines_per_second=3), wire.send, echo_for("none", {}))
    book.add("stdout", [b"x"] * 10)
    book.close()
    assert wire.lines[:3] == ["x"] * 3
    assert wire.lines[-1].startswith("… ")
    assert "lines dropped" in wire.lines[-1]


async def test_what_nobody_takes_is_counted_and_told_later(wire: Wire) -> None:
    book = LogBook(Limits(), wire.send, echo_for("none", {}))
    wire.takes = False
    book.add("stdout", [b"lost"] * 5)
    book.flush()
    wire.takes = True
    book.close()
    assert wire.lines[-1].startswith("… 5 lines dropped")


async def test_text_is_made_storable(wire: Wire) -> None:
    book = LogBook(Limits(), wire.send, echo_for("none", {}))
    book.add("stdout", [b"nul \0", b"windows\r", b"broken \xff"])
    book.close()
    assert wire.lines == ["nul \ufffd", "windows", "broken \ufffd"]


async def test_tail_remembers_stderr_only(wire: Wire) -> None:
    book = LogBook(Limits(log_lines_per_second=1), wire.send, echo_for("none", {}))
    book.add("stdout", [b"out"])
    book.add("stderr", [b"line %d" % number for number in range(100)])
    assert book.tail.split("\n")[-1] == "line 99"
    assert "out" not in book.tail
    book.close()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("json", '{"run":"r","time":"t","stream":"stdout","line":"hello"}\n'), ("text", "hello\n"), ("none", "")],
)
def test_echo_repeats_lines_in_the_wanted_form(
    kind: str, expected: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    entry: LogEntry = {"time": "t", "stream": "stdout", "line": "hello"}
    echo_for(kind, {"run": "r"})([entry])  # type: ignore[arg-type]
    assert capfdbinary.readouterr().out.decode() == expected
