"""The input of a run, as typed on the command line."""

import json
import re
import sys
from pathlib import Path
from typing import Any

from skerry.cli import problems

Input = list[Any] | dict[str, Any]
"""A run's input: a list of positional arguments or an object of keyword arguments."""


def parse(arguments: list[str], named: list[str], whole: str | None) -> Input:
    """Return the input the three ways of giving it describe.

    Args:
        arguments: Positional arguments, each JSON or plain text.
        named: `key=value` pairs, each value JSON or plain text.
        whole: The complete input as JSON, `@file`, or `-` for standard input.

    Raises:
        Problem: Two of the ways were mixed, or something is not valid JSON.
    """
    if sum(map(bool, (arguments, named, whole is not None))) > 1:
        raise _usage(
            "The input was given in more than one way.", "Use only one of: arguments, --arg key=value, or --input JSON."
        )
    if whole is not None:
        return _whole(whole)
    if named:
        return _named(named)
    return [value(text) for text in arguments]


def value(text: str) -> Any:
    """Return one argument: JSON if it is JSON, plain text otherwise.

    Raises:
        Problem: It starts like a JSON list, object or string but is not one.
    """
    try:
        return json.loads(text)
    except ValueError as error:
        if text[:1] in ("[", "{", '"'):
            raise _usage(
                f"{text!r} is not valid JSON: {error}.", "Quote it for your shell, for example '[1, 2]'."
            ) from None
        return text


def seconds(text: str) -> float:
    """Return a duration such as `45s`, `10m`, `2h`, `1d` or `90` (seconds) in seconds.

    Raises:
        Problem: It is not a duration.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    if match is None:
        raise _usage(f"{text!r} is not a duration.", "Write it like 45s, 10m, 2h or 1d.")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]


def _named(pairs: list[str]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise _usage(f"--arg {pair!r} has no name.", "Write it as --arg name=value.")
        if key in result:
            raise _usage(f"--arg {key!r} was given twice.")
        result[key] = value(text)
    return result


def _whole(source: str) -> Input:
    text = source
    if source == "-":
        text = sys.stdin.read()
    elif source.startswith("@"):
        try:
            text = Path(source[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise _usage(f"Cannot read {source[1:]!r}: {error}.") from None
    try:
        parsed = json.loads(text)
    except ValueError as error:
        raise _usage(f"--input is not valid JSON: {error}.") from None
    if not isinstance(parsed, list | dict):
        raise _usage(
            "--input must be a JSON list of arguments or an object of named arguments.",
            f"For one argument write --input '[{json.dumps(parsed)}]'.",
        )
    return parsed


def _usage(message: str, hint: str | None = None) -> problems.Problem:
    return problems.Problem(message, hint, problems.USAGE)
