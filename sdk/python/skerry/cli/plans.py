"""`skerry plans`: the compute plans."""

from skerry.cli import connections, options, outputs, tables

app = options.command("List the compute plans a task can ask for.")


@app.command(epilog=options.examples("skerry plans", "skerry plans --json"))
def plans(as_json: options.AsJson = False, url: options.Url = None) -> None:
    """List the compute plans a task can ask for, with @app.task(plan=…) or `tasks start --plan`."""
    with connections.connect(url) as server:
        found = server.records("/v1/plans", "plan")
    if as_json:
        return outputs.show_json(found)
    outputs.show(tables.plans_table(found))
