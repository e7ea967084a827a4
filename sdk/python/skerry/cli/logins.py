"""`skerry login`: store the server's URL and the API key for later commands."""

import os
import sys
from typing import Annotated

import typer
from rich.text import Text

from skerry.cli import connections, options, outputs, settings

app = options.command("Store the server's URL and your API key.")


@app.command(
    epilog=options.examples(
        "skerry login --url https://skerry.example.com",
        "printenv DEPLOY_KEY | skerry login --url https://skerry.example.com",
    )
)
def login(
    url: Annotated[str | None, typer.Option("--url", help="The server. Asked for when left out.")] = None,
) -> None:
    """Store the server's URL and your API key, after checking that the server accepts them.

    The key is asked for, or read from standard input, so that it stays out of your shell's history. Both are kept in
    a file only you can read. SKERRY_URL and SKERRY_API_KEY win over the file.
    """
    chosen = settings.Settings(settings.normalized(url or _ask_url()), _read_key() or None)
    with connections.Connection(chosen) as server:
        try:
            server.get("/v1/tasks", limit=1)
        except connections.Refused as refused:
            # A key that may only start runs is still a good key.
            if refused.status != 403:
                raise
    path = settings.save(chosen)
    outputs.show(Text(f"Logged in to {chosen.url}. Stored in {path}"))
    for name in ("SKERRY_URL", "SKERRY_API_KEY"):
        if os.environ.get(name):
            outputs.note(f"{name} is set in your environment and wins over this.", "yellow")


def _ask_url() -> str:
    if not sys.stdin.isatty():
        return settings.resolve().url
    return str(typer.prompt("Server URL", default=settings.resolve().url, err=True))


def _read_key() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("API key (empty for none)", default="", show_default=False, hide_input=True, err=True))
    return sys.stdin.readline().strip()
