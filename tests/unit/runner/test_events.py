"""What the runner tells about itself."""

from __future__ import annotations

import json
import re

import pytest

from skerry_runner.events import Events


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_carries_what_is_bound_and_what_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    events = Events()
    events.configure("info", runner="rnr-1")
    events.warning("connection_silent", seconds=2.5)
    (line,) = lines(capsys)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("timestamp"))
    assert line == {"runner": "rnr-1", "event": "connection_silent", "level": "warning", "seconds": 2.5}


@pytest.mark.parametrize(
    ("level", "told"), [("INFO", ["a", "b", "c"]), ("warning", ["b", "c"]), ("nonsense", ["a", "b", "c"])]
)
def test_levels(capsys: pytest.CaptureFixture[str], level: str, told: list[str]) -> None:
    events = Events()
    events.configure(level)
    events.info("a")
    events.warning("b")
    events.error("c")
    assert [line["event"] for line in lines(capsys)] == told


def test_an_exception_comes_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    events = Events()
    events.configure("info")
    try:
        raise ValueError("no such thing")
    except ValueError:
        events.exception("message_not_understood", type=None)
    (line,) = lines(capsys)
    assert line["level"] == "error"
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("ValueError: no such thing")


def test_a_line_never_fails_for_what_it_tells(capsys: pytest.CaptureFixture[str]) -> None:
    events = Events()
    events.error("cannot_start", error="no file \udcff", number=2**70, path=object)
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot_start" in line
