"""What values.yaml says of each value: the comment above it."""

from __future__ import annotations

import re

_KEY = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z_0-9]+):(?: |$)")


def comments(text: str) -> dict[tuple[str, ...], str]:
    """By path: the words above every key of a YAML text of plain nested mappings, empty where there are none."""
    found: dict[tuple[str, ...], str] = {}
    path: list[tuple[int, str]] = []
    words: list[str] = []
    for line in text.splitlines():
        if line.strip().startswith("#"):
            words.append(line.strip().lstrip("# "))
            continue
        match = _KEY.match(line)
        if match:
            indent = len(match["indent"])
            path = [(depth, key) for depth, key in path if depth < indent] + [(indent, match["key"])]
            found[tuple(key for _, key in path)] = " ".join(words)
        words = []
    return found
