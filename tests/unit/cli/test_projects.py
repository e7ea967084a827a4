import ast
from importlib import resources
from pathlib import Path

import pytest

from skerry.cli import projects
from tests.unit.cli.conftest import Cli


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("template", projects.ABOUT)
def test_init_writes_a_project(cli: Cli, folder: Path, template: str) -> None:
    result = cli("init", template)
    assert result.exit_code == 0
    assert {path.name for path in (folder / template).iterdir()} == {"main.py", "README.md", ".gitignore"}
    source = (folder / template / "main.py").read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(source))
    assert f"cd {template}" in result.stderr


def test_every_packaged_template_is_offered() -> None:
    packaged = {entry.name for entry in (resources.files("skerry.cli") / "templates").iterdir() if entry.is_dir()}
    assert packaged == set(projects.ABOUT)


def test_hello_is_the_default_and_dir_chooses_the_folder(cli: Cli, folder: Path) -> None:
    assert cli("init", "--dir", "a/b").exit_code == 0
    assert "async def hello" in (folder / "a/b/main.py").read_text(encoding="utf-8")


def test_an_unknown_template_lists_the_known_ones(cli: Cli, folder: Path) -> None:
    result = cli("init", "nope")
    assert result.exit_code == 2
    assert all(name in result.stderr for name in projects.ABOUT)
    assert not any(folder.iterdir())


def test_nothing_is_overwritten(cli: Cli, folder: Path) -> None:
    (folder / "main.py").write_text("mine")
    result = cli("init", "--dir", ".")
    assert result.exit_code == 2
    assert "main.py exists" in result.stderr
    assert [path.name for path in folder.iterdir()] == ["main.py"]
    assert (folder / "main.py").read_text() == "mine"
