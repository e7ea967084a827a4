"""What the documents show is what the repository holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from examples.servers import ROOT

DOCUMENTS = sorted(
    path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")] if path.is_file()
)


def _excerpt(source: Path) -> str:
    found = re.search(r"# readme: begin\n(.*?)# readme: end\n", source.read_text(), re.DOTALL)
    assert found, f"{source} has no marked excerpt"
    return found[1].strip()


def test_readme_shows_the_example_as_it_is() -> None:
    readme = (ROOT / "README.md").read_text()

    assert _excerpt(ROOT / "examples/generation_loop/main.py") in readme


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", document.read_text())

    missing = [target for target in targets if not (document.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_python_in_documents_is_python(document: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", document.read_text(), re.DOTALL | re.MULTILINE)

    for block in blocks:
        compile(block, str(document), "exec", flags=0x2000)  # PyCF_ALLOW_TOP_LEVEL_AWAIT


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_documents_name_exist(document: Path) -> None:
    named = re.findall(r"`((?:api|docs|examples|runner-image|sdk|tests)/[^`<*… ]+)`", document.read_text())

    missing = [path for name in named for path in _expanded(name) if not (ROOT / path).exists()]
    assert not missing


def _expanded(name: str) -> list[str]:
    """`a/{b,c}.py` as `a/b.py` and `a/c.py`."""
    found = re.fullmatch(r"(.*)\{(.*)\}(.*)", name)
    return [f"{found[1]}{middle}{found[3]}" for middle in found[2].split(",")] if found else [name]
