"""`skerry workflows`: list, show, versions, delete."""

import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.text import Text

from skerry.cli import connections, options, outputs, problems, tables

FAILED = frozenset({"registration_failed", "build_failed"})
"""Statuses of a version that will never be ready."""

Name = Annotated[str, typer.Argument(metavar="WORKFLOW", help="The workflow's name or id.")]

app = options.command(
    "List workflows and their versions.",
    options.examples("skerry workflows list", "skerry workflows versions shop", "skerry workflows delete shop"),
)


@app.command("list")
def list_workflows(as_json: options.AsJson = False, url: options.Url = None) -> None:
    """List workflows."""
    with connections.connect(url) as server:
        workflows = server.records("/v1/workflows", "workflow")
    if as_json:
        return outputs.show_json(workflows)
    if not workflows:
        return outputs.note("No workflows. Release one with: skerry deploy NAME --image IMAGE")
    outputs.show(tables.workflows_table(workflows, datetime.now(UTC)))


@app.command("show")
def show_workflow(workflow: Name, as_json: options.AsJson = False, url: options.Url = None) -> None:
    """Show one workflow and the tasks of its latest version."""
    with connections.connect(url) as server:
        record = find(server, workflow)
        tasks = server.records("/v1/tasks", "task", workflowId=record["id"])
    if as_json:
        return outputs.show_json({**record, "tasks": tasks})
    outputs.show(tables.workflows_table([record], datetime.now(UTC)), Text(), tables.tasks_table(tasks))


@app.command("versions")
def list_versions(
    workflow: Name,
    limit: Annotated[int, typer.Option(min=1, help="The most versions to show.")] = 20,
    as_json: options.AsJson = False,
    url: options.Url = None,
) -> None:
    """List the versions of a workflow, newest first, and what the newest waits for or why it could not be registered."""
    with connections.connect(url) as server:
        record = find(server, workflow)
        versions = server.records("/v1/workflowversions", "workflowVersion", limit, workflowId=record["id"])
    if as_json:
        return outputs.show_json(versions)
    outputs.show(tables.versions_table(versions, datetime.now(UTC)))
    if versions and versions[0].get("error"):
        outputs.show(tables.panel(str(versions[0]["error"]), f"{versions[0]['id']} could not be registered"))
    if versions and versions[0].get("waiting"):
        outputs.note(f"{versions[0]['id']} is waiting: {versions[0]['waiting']['message']}")


@app.command("delete", epilog=options.examples("skerry workflows delete shop --yes"))
def delete_workflow(
    workflow: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: options.Url = None,
) -> None:
    """Delete a workflow with its versions and tasks. Its runs must be over; they are kept for their usual time."""
    with connections.connect(url) as server:
        record = find(server, workflow)
        if not yes:
            _confirm(_slug(record))
        server.delete(f"/v1/workflows/{connections.segment(record['id'])}")
    outputs.show(Text(f"Deleted {_slug(record)} ({record['id']})"))


def look_up(server: connections.Connection, name: str) -> dict[str, Any] | None:
    """Return a workflow by its name or id, or None if there is none."""
    known = server.records("/v1/workflows", "workflow")
    return next((each for each in known if name in (each["id"], each.get("slug"), each.get("name"))), None)


def find(server: connections.Connection, name: str) -> dict[str, Any]:
    """Return a workflow by its name or id.

    Raises:
        Problem: There is none.
    """
    found = look_up(server, name)
    if found is None:
        known = ", ".join(sorted(_slug(each) for each in server.records("/v1/workflows", "workflow")))
        raise problems.Problem(f"There is no workflow {name!r}.", f"There are: {known}." if known else None)
    return found


def _slug(workflow: dict[str, Any]) -> str:
    return str(workflow.get("slug") or workflow["name"])


def _confirm(name: str) -> None:
    if not sys.stdin.isatty():
        raise problems.Problem(f"Deleting {name} cannot be undone.", "Add --yes to confirm.", problems.USAGE)
    typer.confirm(f"Delete {name} with its versions and tasks?", abort=True, err=True)
