"""`make demo`: an agent's loop on a throw-away server, from the first request to the published page.

Everything goes through the REST interface with plain `httpx` calls, so this file is also a small guide to it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
from rich.console import Console
from rich.live import Live

from examples import servers, views

TARGET = "examples.generation_loop.main:app"
WORKFLOW = "generation-loop"
PROMPT = "A page that shares a restaurant bill"
RUN_SECONDS = 45.0


def main() -> int:
    """Run the demonstration; 0 when the run succeeded, 1 when it or the server did not."""
    console = Console()
    started = time.monotonic()
    preview_port = servers.free_port()
    try:
        with ExitStack() as programs:
            store = programs.enter_context(tempfile.TemporaryDirectory(prefix="skerry-projects-"))
            environment = {"PREVIEW_URL": f"http://127.0.0.1:{preview_port}", "PROJECT_STORE": store}
            console.print("Starting a throw-away server (PostgreSQL included) …", style="dim")
            server = programs.enter_context(servers.dev_server(TARGET, WORKFLOW, environment))
            console.print(f"Ready at {server.url} after {time.monotonic() - started:.1f} s\n", style="dim")
            api = programs.enter_context(httpx.Client(base_url=server.url, timeout=10))
            with _view(console) as view:
                tree = follow(api, trigger(api), view, preview_port, programs)
            succeeded = report(api, tree, console)
    except (servers.ServerError, TimeoutError, httpx.HTTPError) as error:
        console.print(f"The demonstration failed: {error}", style="bold red", highlight=False, markup=False)
        return 1
    console.print(f"Everything is stopped again. {time.monotonic() - started:.1f} s in all.", style="dim")
    return 0 if succeeded else 1


def trigger(api: httpx.Client) -> str:
    """Ask for a run and return its id; it is on disk once the answer is here."""
    body = {"task": f"{WORKFLOW}/generation_loop", "input": [PROMPT, "ada"]}
    answer = api.post("/v1/task-runs", json=body).raise_for_status()
    run_id: str = answer.json()["id"]
    return run_id


def follow(api: httpx.Client, run_id: str, view: views.View, preview_port: int, programs: ExitStack) -> views.Node:
    """Show the run until it has ended, and end an outage on the way.

    The preview host is down at first. When `push_preview` has run into that, the host is started here, and the next
    attempt finds it.
    """
    deadline = time.monotonic() + RUN_SECONDS
    cursor: str | None = None
    host_is_up = False
    while time.monotonic() < deadline:
        # Logs first: whatever run they belong to is in the tree that is read after them.
        logs, cursor = new_logs(api, run_id, cursor)
        tree: views.Node = api.get(f"/v1/task-runs/{run_id}/tree").raise_for_status().json()
        view.update(tree, logs)
        if tree["run"].get("completedAt"):
            view.update(tree, new_logs(api, run_id, cursor)[0])
            return tree
        if not host_is_up and _push_has_failed(tree):
            view.note("The preview host is down. Starting it, so that the next attempt finds it.")
            command = [sys.executable, "-m", "examples.generation_loop.preview_host", str(preview_port)]
            programs.enter_context(servers.running(command))
            host_is_up = True
        time.sleep(0.05)
    raise TimeoutError(f"the run had not ended after {RUN_SECONDS:.0f} s")


def new_logs(api: httpx.Client, run_id: str, cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
    """Fetch what the run and its descendants have printed since `cursor`, and the cursor to go on from."""
    query = {"includeDescendants": "true", **({"cursor": cursor} if cursor else {})}
    page = api.get(f"/v1/task-runs/{run_id}/logs", params=query).raise_for_status().json()
    return page["logs"], page["cursor"] or cursor


def report(api: httpx.Client, tree: views.Node, console: Console) -> bool:
    """Print the result, the page it leads to, where the time went and what to try next."""
    run = api.get(f"/v1/task-runs/{tree['run']['id']}").raise_for_status().json()
    console.print(f"\n{run['id']} {run['status']}", style="bold green" if run["status"] == "succeeded" else "bold red")
    if run["status"] != "succeeded":
        console.print(run.get("error") or "", markup=False)
        return False
    outcome = run["results"][0]
    console.print(json.dumps(outcome, indent=2), markup=False)
    page = httpx.get(
        outcome["preview_url"], params={"cents": 10000, "people": 3, "occasion": "<i>lunch</i>"}, timeout=10
    )
    console.print("\nThe page it wrote, for 100.00 among 3:", style="bold")
    console.print(page.text, markup=False, highlight=False, soft_wrap=True)
    console.print()
    console.print(views.timetable(tree))
    console.print(NEXT_STEPS, markup=False, highlight=False, soft_wrap=True)
    return True


NEXT_STEPS = f"""
Next
  .venv/bin/skerry dev {TARGET}
  curl -s 127.0.0.1:8120/v1/task-runs -H 'content-type: application/json' \\
    -d '{{"task": "generation_loop", "input": ["{PROMPT}", "you"]}}'
  .venv/bin/skerry runs list
  .venv/bin/skerry runs watch RUN_ID
The code is in examples/generation_loop/main.py; change it while `skerry dev` runs.
"""


@contextmanager
def _view(console: Console) -> Iterator[views.View]:
    if not console.is_terminal:
        yield views.PlainLines(console)
        return
    with Live(console=console, auto_refresh=False) as live:
        yield views.LiveTree(live)


def _push_has_failed(tree: views.Node) -> bool:
    pushes = (node["run"] for node in views.nodes(tree) if node["run"]["taskName"] == "push_preview")
    return any(attempt["status"] == "failed" for run in pushes for attempt in run["attempts"])


if __name__ == "__main__":
    sys.exit(main())
