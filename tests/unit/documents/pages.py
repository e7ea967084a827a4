"""The documents for users, and what can be found in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts" / "skerry"
OPERATIONS = ROOT / "docs" / "operations.md"
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), CHART / "README.md"])

Json = dict[str, Any]


def title(page: Path) -> str:
    """A page's path from the root."""
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> Iterator[str]:
    """The code of a page in one language."""
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)
    yield from found


def documents(page: Path) -> Iterator[Json]:
    """What the YAML of a page says."""
    for block in blocks(page, "yaml"):
        yield from yaml.safe_load_all(block)


def words(page: Path) -> set[str]:
    """Everything that a page has in backticks outside of blocks."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return set(re.findall(r"`([^`\n]+)`", prose))
