"""Where `skerry dev` finds your tasks: checked before anything is started, so that a typo is told at once."""

import ast
import sys
from importlib.machinery import PathFinder
from pathlib import Path

from skerry.cli import problems

DEFAULT = "main:app"


def default_target(folder: Path) -> str:
    """Return `main:app` if the folder has a main.py that defines `app`.

    Raises:
        Problem: It has not.
    """
    main = folder / "main.py"
    if not main.is_file():
        raise _usage(
            "There is no main.py in this folder.",
            "Name your module, as in `skerry dev tasks:app`, or start a project with `skerry init`.",
        )
    if not _defines_app(main):
        raise _usage("main.py defines no `app`.", "Name the object that holds your tasks: skerry dev main:NAME")
    return DEFAULT


def check(target: str, folder: Path) -> None:
    """Make sure that a target's module or file exists.

    Args:
        target: `module:attribute` or `path/to/file.py[:attribute]`.
        folder: The folder the server will import from.

    Raises:
        Problem: It does not exist.
    """
    place = target.partition(":")[0]
    if place.endswith(".py"):
        if not (folder / place).is_file():
            raise _usage(f"There is no file {place}.", "Targets look like main:app or path/to/main.py:app.")
        return
    top = place.partition(".")[0]
    if not top.isidentifier():
        raise _usage(
            f"{target!r} is not a target.",
            "Targets look like main:app or path/to/main.py:app; commands go after `--`: skerry dev -- node app.js",
        )
    if PathFinder.find_spec(top, [str(folder), *sys.path]) is None:
        raise _usage(f"There is no module {top!r} in {folder}.", "Targets look like main:app or path/to/main.py:app.")


def _defines_app(source: Path) -> bool:
    try:
        tree = ast.parse(source.read_bytes())
    except SyntaxError:
        # Importing it will say more about the mistake than we could here.
        return True
    names: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            names |= {item.id for item in statement.targets if isinstance(item, ast.Name)}
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            names.add(statement.target.id)
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in statement.names}
    return "app" in names


def _usage(message: str, hint: str) -> problems.Problem:
    return problems.Problem(message, hint, problems.USAGE)
