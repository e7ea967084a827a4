"""`skerry pools`: the runners that wait for work."""

from skerry.cli import connections, options, outputs, tables

app = options.command("List the pools of runners, and how many wait for work.")


@app.command(epilog=options.examples("skerry pools", "skerry pools --json"))
def pools(as_json: options.AsJson = False, url: options.Url = None) -> None:
    """List the pools of runners, how many wait for work in each, and why as many are wanted.

    On Kubernetes there is a pool for each version and plan; a run that finds a runner waiting begins within milliseconds.
    """
    with connections.connect(url) as server:
        found = server.records("/v1/pools", "pool")
    if as_json:
        return outputs.show_json(found)
    outputs.show(tables.pools_table(found))
