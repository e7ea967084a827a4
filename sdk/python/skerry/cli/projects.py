"""`skerry init`: a small project to start from."""

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from skerry.cli import options, outputs, problems

DEFAULT_TEMPLATE = "hello"

ABOUT = {
    "hello": "three tasks, one of which fans out",
    "pipeline": "read in parallel, clean in batches, aggregate",
    "agent": "a model-and-tools loop with retries",
}

_FILES = {"main.py": "main.py", "README.md": "README.md", "gitignore": ".gitignore"}
"""Files of a template, and their names in the project."""

app = options.command("Write a small project to start from.")


@app.command(
    epilog=options.examples(
        "skerry init                      hello, in the folder ./hello",
        "skerry init pipeline --dir etl   another template, in the folder ./etl",
        "skerry init --dir .              hello, right here",
    )
)
def init(
    template: Annotated[
        str, typer.Argument(help="One of: " + "; ".join(f"{name} ({what})" for name, what in ABOUT.items()) + ".")
    ] = DEFAULT_TEMPLATE,
    directory: Annotated[
        Path | None, typer.Option("--dir", help="The folder to write to. Default: one named like the template.")
    ] = None,
) -> None:
    """Write a small project to start from.

    Existing files are never overwritten.
    """
    if template not in ABOUT:
        known = "\n".join(f"  {name:<10} {what}" for name, what in ABOUT.items())
        raise problems.Problem(f"There is no template {template!r}.", f"Templates:\n{known}", problems.USAGE)
    folder = directory or Path(template)
    written = write(template, folder)
    outputs.show(Text.assemble("Wrote ", (", ".join(written), "bold"), " to ", (str(folder), "bold")))
    steps = ["skerry dev"] if folder.resolve() == Path.cwd() else [f"cd {folder}", "skerry dev"]
    outputs.note("Next:\n" + "\n".join(f"  {step}" for step in steps))


def write(template: str, folder: Path) -> list[str]:
    """Write a template's files into a folder and return their names.

    Raises:
        Problem: One of the files exists, or the folder cannot be written.
    """
    existing = [name for name in _FILES.values() if (folder / name).exists()]
    if existing:
        raise problems.Problem(
            f"{folder}/{existing[0]} exists, and nothing is overwritten.",
            "Choose another folder with --dir.",
            problems.USAGE,
        )
    source = resources.files("skerry.cli") / "templates" / template
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for packaged, name in _FILES.items():
            _copy(source / packaged, folder / name)
    except OSError as error:
        raise problems.Problem(f"Cannot write to {folder}: {error.strerror}.") from None
    return list(_FILES.values())


def _copy(source: Traversable, target: Path) -> None:
    with target.open("xb") as file:
        file.write(source.read_bytes())
