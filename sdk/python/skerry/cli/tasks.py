"""`skerry tasks`: list tasks and start runs of them."""

from typing import Annotated, Any

import typer

from skerry.cli import connections, inputs, options, outputs, tables, watches

app = options.command(
    "List tasks and start runs of them.",
    options.examples(
        "skerry tasks list", "skerry tasks start hello World", "skerry tasks start add --arg a=1 --arg b=2"
    ),
)


@app.command("list", epilog=options.examples("skerry tasks list --workflow shop", "skerry tasks list --json"))
def list_tasks(
    workflow: Annotated[str | None, typer.Option(help="Only tasks of this workflow.")] = None,
    as_json: options.AsJson = False,
    url: options.Url = None,
) -> None:
    """List the tasks of every workflow's latest version."""
    with connections.connect(url) as server:
        tasks = server.records("/v1/tasks", "task", workflowSlug=workflow)
    if as_json:
        return outputs.show_json(tasks)
    if not tasks:
        return outputs.note("No tasks. Run some with `skerry dev`, or release some with `skerry deploy`.")
    outputs.show(tables.tasks_table(tasks))


@app.command(
    "start",
    epilog=options.examples(
        "skerry tasks start hello World",
        "skerry tasks start sum_of_squares '[1, 2, 3]'",
        "skerry tasks start shop/send_mail --arg to=ann@example.com --arg retries=2",
        "skerry tasks start report --input @input.json --no-wait",
        "skerry tasks start add -- -1 2                 (arguments that start with a dash)",
        "RUN=$(skerry tasks start nightly --no-wait)    (prints only the run's id)",
    ),
)
def start(
    task: Annotated[
        str,
        typer.Argument(metavar="TASK", help="The task, as workflow/task; with `skerry dev`, its bare name will do."),
    ],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="ARGS", help="Its arguments: each JSON, or else taken as text."),
    ] = None,
    named: Annotated[
        list[str] | None,
        typer.Option(
            "--arg", metavar="KEY=VALUE", help="A named argument; the value is JSON, or else text. Repeatable."
        ),
    ] = None,
    whole: Annotated[
        str | None,
        typer.Option(
            "--input", metavar="JSON|@FILE|-", help="All arguments as one JSON list or object; - reads stdin."
        ),
    ] = None,
    wait: Annotated[
        bool | None, typer.Option("--wait/--no-wait", help="Watch the run until it ends. Default: only on a terminal.")
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Start no second run with this key; the first one is answered instead.")
    ] = None,
    plan: Annotated[str | None, typer.Option(help="Run it with this compute plan instead of the task's own.")] = None,
    delay: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Start it later: 45s, 10m, 2h, 1d or plain seconds.")
    ] = None,
    priority: Annotated[int | None, typer.Option(min=0, max=9, help="0 to 9; higher goes first.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag to find the run by. Repeatable.")] = None,
    as_json: options.AsJson = False,
    url: options.Url = None,
) -> None:
    """Start a run of a task and, on a terminal, watch it.

    Without a terminal (or with --no-wait) the run's id is printed; with --wait its result.
    Ends with status 0 if the run succeeded and 1 if it failed or was canceled.
    """
    body: dict[str, Any] = {
        "task": task,
        "input": inputs.parse(arguments or [], named or [], whole),
        "idempotencyKey": idempotency_key,
        "plan": plan,
        "delaySeconds": inputs.seconds(delay) if delay else None,
        "priority": priority,
        "tags": tag,
    }
    with connections.connect(url) as server:
        run = server.post("/v1/task-runs", {name: value for name, value in body.items() if value is not None})
        watches.present(server, run, wait, as_json)
