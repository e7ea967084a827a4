"""`skerry usage`: what attempts used, and how long Pods waited for them."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from skerry.cli import connections, durations, inputs, options, outputs

_LONGEST_SECONDS = 50 * 365 * 86_400
"""Further back there is nothing, and in the end no dates."""

app = options.command("Show what attempts used, and how long Pods waited for work.")


@app.command(epilog=options.examples("skerry usage", "skerry usage --last 1d --workflow shop", "skerry usage --json"))
def usage(
    last: Annotated[str, typer.Option(help="How far back, such as 90m, 24h or 7d.")] = "30d",
    workflow: Annotated[str | None, typer.Option(help="Only usage of this workflow.")] = None,
    as_json: options.AsJson = False,
    url: options.Url = None,
) -> None:
    """Show what the attempts of each task and plan used that ended lately, and how long Pods waited for work.

    Waiting is what warm Pods cost beyond their runs. It is counted by whole hours, and on Kubernetes only.
    """
    start = datetime.now(UTC) - timedelta(seconds=min(inputs.seconds(last), _LONGEST_SECONDS))
    with connections.connect(url) as server:
        report = server.get("/v1/usage", start=start.isoformat(), workflow=workflow)
    if as_json:
        return outputs.show_json(report)
    outputs.show(usage_table(report))


def usage_table(report: dict[str, Any]) -> Table:
    """Return usage, one task and plan a row, and then waiting, one workflow and plan a row."""
    used = [
        (
            entry["workflow"],
            entry["task"].removeprefix(f"{entry['workflow']}/"),
            entry["plan"],
            str(entry["runs"]),
            str(entry["attempts"]),
            durations.human(entry["seconds"]),
            durations.human(entry["cpuSeconds"]),
            durations.memory(entry["maxRssBytes"]) if entry["maxRssBytes"] else "",
        )
        for entry in report["usage"]
    ]
    waited = [
        (entry["workflow"], Text("waiting", "dim"), entry["plan"], "", "", durations.human(entry["seconds"]), "", "")
        for entry in report.get("warm", ())
    ]
    return outputs.table(
        ("workflow", "task", "plan", "runs", "attempts", "time", "cpu", "memory"),
        [*used, *waited],
    )
