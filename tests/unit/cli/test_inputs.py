import io
from pathlib import Path
from typing import Any

import pytest

from skerry.cli import inputs, problems


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("[1, 2]", [1, 2]),
        ("null", None),
        ('"1"', "1"),
        ("World", "World"),
        ("12 o'clock", "12 o'clock"),
        ("", ""),
    ],
)
def test_an_argument_is_json_or_else_text(text: str, value: Any) -> None:
    assert inputs.parse([text], [], None) == [value]


def test_named_arguments_become_an_object() -> None:
    assert inputs.parse([], ["a=1", "b=x=y", "c="], None) == {"a": 1, "b": "x=y", "c": ""}


def test_no_arguments_are_an_empty_list() -> None:
    assert inputs.parse([], [], None) == []


def test_whole_input_comes_from_text_file_or_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "input.json"
    path.write_text('{"a": "é"}', encoding="utf-8")
    monkeypatch.setattr("sys.stdin", io.StringIO("[3]"))
    assert inputs.parse([], [], "[1]") == [1]
    assert inputs.parse([], [], f"@{path}") == {"a": "é"}
    assert inputs.parse([], [], "-") == [3]


@pytest.mark.parametrize(
    ("arguments", "named", "whole", "told"),
    [
        (["[1,"], [], None, "not valid JSON"),
        (["1"], ["a=1"], None, "more than one way"),
        ([], ["a=1"], "[]", "more than one way"),
        ([], ["=1"], None, "no name"),
        ([], ["a"], None, "no name"),
        ([], ["a=1", "a=2"], None, "twice"),
        ([], [], "7", "must be a JSON list"),
        ([], [], "", "not valid JSON"),
        ([], [], "@/no/such/file", "Cannot read"),
    ],
)
def test_unclear_input_is_a_usage_error(arguments: list[str], named: list[str], whole: str | None, told: str) -> None:
    with pytest.raises(problems.Problem, match=told) as caught:
        inputs.parse(arguments, named, whole)
    assert caught.value.exit_status == problems.USAGE


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("1.5s", 1.5), ("10m", 600), ("2h", 7200), ("1d", 86400)])
def test_delays_have_units(text: str, seconds: float) -> None:
    assert inputs.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5", "1w"])
def test_other_delays_are_usage_errors(text: str) -> None:
    with pytest.raises(problems.Problem, match="not a duration"):
        inputs.seconds(text)
