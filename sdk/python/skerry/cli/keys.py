"""`skerry keys`: create, list and revoke API keys."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.text import Text

from skerry.cli import connections, options, outputs, problems, tables

_SCOPES = ("read", "trigger", "admin")

app = options.command(
    "Create, list and revoke API keys.",
    options.examples("skerry keys create ci --scope trigger --workflow shop", "skerry keys list"),
)


@app.command(
    "create",
    epilog=options.examples(
        "skerry keys create ci --scope read --scope trigger --workflow shop",
        "KEY=$(skerry keys create ci)",
    ),
)
def create_key(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is for.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="read, trigger (start and cancel runs) or admin. Repeatable. Default: read and trigger."),
    ] = None,
    workflow: Annotated[str | None, typer.Option(help="Allow this workflow only.")] = None,
    as_json: options.AsJson = False,
    url: options.Url = None,
) -> None:
    """Create an API key. It is shown this once; only its hash is stored."""
    scopes = scope or ["read", "trigger"]
    if unknown := [each for each in scopes if each not in _SCOPES]:
        raise problems.Problem(f"There is no scope {unknown[0]!r}.", f"Scopes: {', '.join(_SCOPES)}.", problems.USAGE)
    body = {"name": name, "scopes": scopes} | ({"workflow": workflow} if workflow else {})
    with connections.connect(url) as server:
        created = server.post("/v1/api-keys", body)
    if as_json:
        return outputs.show_json(created)
    outputs.show(Text(created["key"]))
    outputs.note(f"Keep it now: it is not shown again. To revoke it: skerry keys revoke {created['apiKey']['id']}")


@app.command("list")
def list_keys(as_json: options.AsJson = False, url: options.Url = None) -> None:
    """List API keys, without their secrets."""
    with connections.connect(url) as server:
        keys = server.records("/v1/api-keys", "apiKey")
    if as_json:
        return outputs.show_json(keys)
    if not keys:
        return outputs.note("No API keys. Create one with: skerry keys create NAME")
    outputs.show(tables.keys_table(keys, datetime.now(UTC)))


@app.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(metavar="ID", help="The key's id, from `skerry keys list`.")],
    url: options.Url = None,
) -> None:
    """Revoke an API key: requests with it are refused from now on."""
    with connections.connect(url) as server:
        server.delete(f"/v1/api-keys/{connections.segment(key)}")
    outputs.show(Text(f"Revoked {key}"))
