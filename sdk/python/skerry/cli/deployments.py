"""`skerry deploy`: release an image as a new version of a workflow."""

import time
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.text import Text

from skerry.cli import connections, options, outputs, problems, tables, workflows

_UNSUPPORTED = frozenset({404, 405, 501})
_WAIT_SECONDS = 900.0
"""How long an image may take to be pulled, started and to report its tasks."""

_POLL_SECONDS = 0.5


class Isolation(StrEnum):
    """What a run gets to itself."""

    CONTAINER = "container"
    PROCESS = "process"


app = options.command("Release an image as a new version of a workflow.")


@app.command(
    epilog=options.examples(
        "skerry deploy shop --image registry.example.com/shop:2026-11-22",
        "skerry deploy shop --image registry.example.com/shop:2026-11-22 --no-wait",
        "skerry deploy shop --image registry.example.com/shop:2026-11-22 --warm-min 2 --warm-max 20",
        "skerry deploy shop --image registry.example.com/shop:2026-11-22 --isolation process --capacity 8",
    )
)
def deploy(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The workflow; it is created if it does not exist.")],
    image: Annotated[str, typer.Option("--image", metavar="IMAGE", help="The container image that holds its tasks.")],
    wait: Annotated[
        bool | None, typer.Option("--wait/--no-wait", help="Wait until it is ready. Default: only on a terminal.")
    ] = None,
    isolation: Annotated[
        Isolation | None,
        typer.Option(help="A container for each run, or containers that take many, each in a process of its own."),
    ] = None,
    capacity: Annotated[
        int | None, typer.Option(min=1, max=256, help="Runs at once in one container, with --isolation process.")
    ] = None,
    warm_min: Annotated[
        int | None, typer.Option(min=0, help="How many containers wait for work always, for each plan in use.")
    ] = None,
    warm_max: Annotated[int | None, typer.Option(min=0, help="How many may wait after work has come.")] = None,
    idle_seconds: Annotated[
        int | None, typer.Option(min=0, help="How long those beyond the least wait after the last need of them.")
    ] = None,
    as_json: options.AsJson = False,
    url: options.Url = None,
) -> None:
    """Release an image as a new version of a workflow.

    The server starts the image once to learn its tasks; when that succeeds, new runs use the new version. If it fails,
    the version before goes on working. Settings that are left out stay as they were.
    """
    warm = _given(min=warm_min, max=warm_max, idleSeconds=idle_seconds)
    settings = _given(isolation=isolation and isolation.value, capacity=capacity, warm=warm or None)
    with connections.connect(url) as server:
        version = _release(server, name, {"image": image, **settings})
        if outputs.is_terminal() if wait is None else wait:
            version = _settled(server, version)
    if as_json:
        outputs.show_json(version)
    else:
        _show(version, name, image)
    if version["status"] in workflows.FAILED:
        raise typer.Exit(problems.FAILED)


def _given(**settings: Any) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}


def _release(server: connections.Connection, name: str, source: dict[str, Any]) -> dict[str, Any]:
    existing = workflows.look_up(server, name)
    workflow = existing or server.post("/v1/workflows", {"name": name})
    try:
        version = server.post("/v1/workflowversions", {"workflowId": workflow["id"], **source})
    except connections.Refused as refused:
        if existing is None:
            server.delete(f"/v1/workflows/{connections.segment(workflow['id'])}")
        if refused.status not in _UNSUPPORTED and refused.code != "not_supported":
            raise
        raise problems.Problem(
            f"{server.url} cannot deploy images: {refused.message}",
            "Deploying needs a server on Kubernetes; `skerry dev` runs the tasks of your own folder.",
        ) from None
    return dict(version)


def _settled(server: connections.Connection, version: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + _WAIT_SECONDS
    told: set[str] = set()
    with outputs.progress("Starting the image to learn its tasks…"):
        while version["status"] not in {"ready", *workflows.FAILED}:
            held_up = (version.get("waiting") or {}).get("message")
            # A cluster that tries again says the same again, with its last error in between.
            if held_up and held_up not in told:
                outputs.note(f"waiting: {held_up}")
                told.add(held_up)
            if time.monotonic() > deadline:
                raise problems.Problem(
                    f"{version['id']} was not ready after {_WAIT_SECONDS:.0f} s.",
                    "It may still become ready: skerry workflows versions",
                )
            time.sleep(_POLL_SECONDS)
            version = server.get(f"/v1/workflowversions/{connections.segment(version['id'])}")
    return version


def _show(version: dict[str, Any], name: str, image: str) -> None:
    if version["status"] in workflows.FAILED:
        return outputs.show(
            tables.panel(str(version.get("error") or "No reason was given."), "The tasks could not be loaded")
        )
    verb = "Released" if version["status"] == "ready" else "Releasing"
    outputs.show(Text.assemble(f"{verb} ", (image, "bold"), " to ", (name, "bold"), f" as {version['id']}"))
    if version["status"] != "ready":
        outputs.note(f"To see when it is ready: skerry workflows versions {name}")
