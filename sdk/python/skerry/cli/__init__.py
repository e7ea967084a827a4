"""The `skerry` command.

Every command module prepares requests, and hands the server's JSON to pure functions that draw it
(`tables`, `trees`, `records`). Modules are imported only when their command runs, so that
`skerry --help` stays quick.
"""

import importlib.util
import io
import sys

__all__ = ["main"]

_MISSING = """\
The `skerry` command needs Typer and Rich, which are not installed. Install them with:

    pip install 'skerry[cli]'
"""


def main() -> None:
    """Run the command line.

    Raises:
        SystemExit: Always. 0 is success, 1 a failed run or a refused request, 2 a usage error
            (or that Typer and Rich are missing), 130 an interruption.
    """
    if any(importlib.util.find_spec(name) is None for name in ("typer", "rich")):
        sys.stderr.write(_MISSING)
        raise SystemExit(2)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a check mark must not end the command.
            stream.reconfigure(errors="replace")
    from skerry.cli.commands import app

    app(prog_name="skerry")
    raise SystemExit(0)
