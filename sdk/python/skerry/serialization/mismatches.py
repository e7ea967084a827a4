"""JSON that does not fit an annotation: what is wrong, and where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Decoder = Callable[[Any], Any]


class Mismatch(Exception):
    """A value that does not fit. On its way up each container adds its part of the path, innermost last in `path`."""

    def __init__(self, problem: str) -> None:
        """Say what is wrong."""
        super().__init__(problem)
        self.problem = problem
        self.path: list[str] = []

    @classmethod
    def expected(cls, wanted: str, value: Any) -> Mismatch:
        """The usual sentence: what was expected and what came."""
        return cls(f"expected {wanted}, got {described(value)}")

    def within(self, segment: str) -> Mismatch:
        """This mismatch, seen from the container whose part `segment` (`.name`, `[2]`) it is in."""
        self.path.insert(0, segment)
        return self

    @property
    def place(self) -> str:
        """The path as one text, for example `.files[2].mode`."""
        return "".join(self.path)


_KINDS = {bool: "boolean", int: "number", float: "number", str: "string", list: "list", dict: "object"}


def described(value: Any) -> str:
    """A JSON value for an error message: its kind, and itself if it is short."""
    if value is None:
        return "null"
    kind = _KINDS.get(type(value), type(value).__name__)
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = repr(value)
    return f"{kind} {text}" if len(text) <= 60 else f"{kind} {text[:57]}…"
