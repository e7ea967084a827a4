"""Options that several commands share, so that they read the same everywhere."""

from typing import Annotated

import typer

Url = Annotated[
    str | None,
    typer.Option("--url", help="The server. Default: SKERRY_URL, then `skerry login`, then http://127.0.0.1:8120."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print machine-readable JSON and nothing else.")]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, such as trn-0k3v9d….")]


def command(help: str, epilog: str | None = None) -> typer.Typer:
    """Return an empty Typer for one command or one noun.

    Args:
        help: What the noun is for, shown above its commands.
        epilog: Examples, shown beneath. Start it with a line holding a backspace to keep its line breaks.
    """
    return typer.Typer(
        help=help,
        epilog=epilog,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def examples(*lines: str) -> str:
    """Return an epilog that lists example commands, one a line."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
