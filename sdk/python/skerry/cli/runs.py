"""`skerry runs`: list, show, watch, logs, cancel, retry."""

import time
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from skerry.cli import connections, logs, options, outputs, records, tables, watches

_FOLLOW_SECONDS = 0.5
"""How often `logs --follow` asks for new lines."""

app = options.command(
    "List, watch, cancel and retry runs, and read their logs.",
    options.examples(
        "skerry runs list --status failed --limit 5",
        "skerry runs watch trn-0k3v9d…",
        "skerry runs logs trn-0k3v9d… --follow",
    ),
)


class Status(StrEnum):
    """The statuses of a run, as the API spells them."""

    pending = "pending"
    running = "running"
    paused = "paused"
    succeeded = "succeeded"
    failed = "failed"
    canceled = "canceled"


@app.command(
    "list",
    epilog=options.examples(
        "skerry runs list --status running --status pending",
        "skerry runs list --task shop/send_mail --limit 100",
        "skerry runs list --tag nightly --json | jq '.[].id'",
    ),
)
def list_runs(
    status: Annotated[
        list[Status] | None,
        typer.Option(help="Only runs in this status. Repeatable."),
    ] = None,
    task: Annotated[str | None, typer.Option(help="Only runs of this task, as workflow/task.")] = None,
    workflow: Annotated[str | None, typer.Option(help="Only runs of this workflow.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only runs with this tag.")] = None,
    root: Annotated[str | None, typer.Option(help="Only this run and its descendants.", metavar="RUN")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The most runs to show.")] = 20,
    as_json: options.AsJson = False,
    url: options.Url = None,
) -> None:
    """List runs, newest first."""
    with connections.connect(url) as server:
        runs = server.records(
            "/v1/task-runs",
            "taskRun",
            limit,
            status=[str(each) for each in status or ()],
            task=task,
            workflow=workflow,
            tag=tag,
            rootTaskRunId=root,
        )
    if as_json:
        return outputs.show_json(runs)
    if not runs:
        return outputs.note("No runs. Start one with: skerry tasks start TASK")
    outputs.show(tables.runs_table(runs, datetime.now(UTC)))


@app.command("show", epilog=options.examples("skerry runs show trn-0k3v9d…", "skerry runs show trn-0k3v9d… --json"))
def show_run(run: options.RunId, as_json: options.AsJson = False, url: options.Url = None) -> None:
    """Show one run: its attempts, input, and result or error."""
    with connections.connect(url) as server:
        record = server.get(_path(run))
    if as_json:
        return outputs.show_json(record)
    outputs.show(tables.run_page(record, datetime.now(UTC)))


@app.command(
    "watch", epilog=options.examples("skerry runs watch trn-0k3v9d…", "skerry runs watch trn-0k3v9d… && deploy")
)
def watch_run(run: options.RunId, as_json: options.AsJson = False, url: options.Url = None) -> None:
    """Follow a run and its children until it ends, then show its result.

    Ends with status 0 if the run succeeded and 1 if it failed or was canceled. Ctrl-C stops watching, not the run.
    With --json, nothing is shown until the run has ended; then it is printed.
    """
    with connections.connect(url) as server:
        if as_json:
            record = watches.wait(server, server.get(_path(run)))
            outputs.show_json(record)
        else:
            record = watches.watch(server, run)
    watches.conclude(record)


@app.command(
    "logs",
    epilog=options.examples(
        "skerry runs logs trn-0k3v9d… --follow",
        "skerry runs logs trn-0k3v9d… --no-children",
        "skerry runs logs trn-0k3v9d… --json | jq -r .message",
    ),
)
def run_logs(
    run: options.RunId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run ends.")] = False,
    children: Annotated[bool, typer.Option("--children/--no-children", help="Include what child runs wrote.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    url: options.Url = None,
) -> None:
    """Print what a run and its children wrote to stdout and stderr."""
    with connections.connect(url) as server:
        reader = logs.Reader(server, run, children)
        while True:
            # Asked before reading, so that lines written just before the end are still read.
            ended = not follow or server.get(_path(run))["status"] in records.TERMINAL
            for entry in reader.read():
                if as_json:
                    outputs.show_json_line(entry)
                else:
                    outputs.show(logs.line_for(entry, {}))
            if ended:
                return
            time.sleep(_FOLLOW_SECONDS)


@app.command("cancel", epilog=options.examples("skerry runs cancel trn-0k3v9d…"))
def cancel_runs(
    runs: Annotated[list[str], typer.Argument(metavar="RUN", help="The ids of the runs.")],
    url: options.Url = None,
) -> None:
    """Cancel runs and everything they started. A run that has ended stays as it is."""
    with connections.connect(url) as server:
        for run in runs:
            server.delete(_path(run))
            state = server.get(_path(run))["status"]
            outputs.show(outputs.status(state, f"{run} {'is ' + state if state != 'canceled' else 'canceled'}"))


@app.command(
    "retry",
    epilog=options.examples("skerry runs retry trn-0k3v9d…", "skerry runs retry trn-0k3v9d… --no-wait"),
)
def retry_run(
    run: options.RunId,
    wait: Annotated[
        bool | None, typer.Option("--wait/--no-wait", help="Watch the new run. Default: only on a terminal.")
    ] = None,
    as_json: options.AsJson = False,
    url: options.Url = None,
) -> None:
    """Start a failed or canceled run again, as a new run with the same input."""
    with connections.connect(url) as server:
        started = server.post(f"{_path(run)}/retry")
        watches.present(server, started, wait, as_json)


def _path(run: str) -> str:
    return f"/v1/task-runs/{connections.segment(run)}"
