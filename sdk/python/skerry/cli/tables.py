"""The server's JSON as tables and pages. Pure: nothing here talks to anyone."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from skerry.cli import durations, outputs, trees

Record = dict[str, Any]


def runs_table(runs: Sequence[Record], now: datetime) -> Table:
    """Return runs, one a row."""
    return outputs.table(
        ("run", "task", "status", "attempts", "duration", "created"),
        (
            (
                run["id"],
                str(run.get("task") or run.get("taskName") or ""),
                outputs.status(run["status"]),
                str(len(run.get("attempts") or ()) or ""),
                durations.between(run.get("startedAt"), run.get("completedAt"), now),
                durations.ago(run.get("createdAt"), now),
            )
            for run in runs
        ),
    )


def tasks_table(tasks: Sequence[Record]) -> Table:
    """Return tasks with everything a caller wants to know before starting one."""
    return outputs.table(
        ("task", "parameters", "plan", "timeout", "retries"),
        (
            (
                str(task.get("slug") or task["name"]),
                signature(task),
                str(task.get("plan") or ""),
                durations.human(task["timeoutSeconds"]) if task.get("timeoutSeconds") else "",
                retries(task.get("retry")),
            )
            for task in tasks
        ),
    )


def signature(task: Record) -> str:
    """Return a task's parameters the way Python writes them, such as `name: str, times: int = 1`."""
    parts = []
    for parameter in task.get("parameters") or ():
        kind = parameter.get("type")
        part = f"{parameter['name']}: {kind}" if kind else str(parameter["name"])
        if parameter.get("hasDefault"):
            default = parameter.get("defaultValue")
            # The default may come as JSON text, the way tasks register it, or already decoded.
            part += f" = {default if isinstance(default, str) else outputs.compact(default, 30)}"
        parts.append(part)
    return ", ".join(parts)


def retries(policy: Record | None) -> str:
    """Return a retry policy in words, such as `3, after 1.0 s, x2`."""
    if not policy or not policy.get("maxRetries"):
        return "none"
    words = str(policy["maxRetries"])
    if policy.get("waitDurationMs"):
        words += f", after {durations.human(policy['waitDurationMs'] / 1000)}"
    if policy.get("factor") and policy["factor"] != 1:
        words += f", x{policy['factor']:g}"
    return words


def workflows_table(workflows: Sequence[Record], now: datetime) -> Table:
    """Return workflows, one a row."""
    return outputs.table(
        ("workflow", "id", "isolation", "concurrency", "latest version", "updated"),
        (
            (
                str(workflow.get("slug") or workflow["name"]),
                workflow["id"],
                str(workflow.get("isolation") or ""),
                str(workflow.get("concurrencyLimit") or "no limit"),
                str(workflow.get("latestVersionId") or "none"),
                durations.ago(workflow.get("updatedAt"), now),
            )
            for workflow in workflows
        ),
    )


def versions_table(versions: Sequence[Record], now: datetime) -> Table:
    """Return versions of a workflow, one a row."""
    return outputs.table(
        ("version", "name", "status", "image", "created"),
        (
            (
                version["id"],
                str(version.get("name") or ""),
                outputs.status(version["status"]),
                str(version.get("image") or ""),
                durations.ago(version.get("createdAt"), now),
            )
            for version in versions
        ),
    )


def plans_table(plans: Sequence[Record]) -> Table:
    """Return compute plans, one a row."""
    return outputs.table(
        ("plan", "cpu", "memory"),
        ((plan["name"], f"{plan['cpu']:g}", durations.memory(plan["memoryBytes"])) for plan in plans),
    )


def pools_table(pools: Sequence[Record]) -> Table:
    """Return pools of runners, one a row; what only Kubernetes has is empty elsewhere."""
    return outputs.table(
        ("workflow", "version", "plan", "wanted", "idle", "starting", "claimed", "why"),
        (
            (
                pool["workflow"],
                pool["workflowVersionId"],
                str(pool.get("plan") or ""),
                str(pool.get("wanted", "")),
                str(pool.get("idle", pool["freeSlots"])),
                str(pool.get("starting", "")),
                str(pool.get("claimed", "")),
                str(pool.get("why") or ""),
            )
            for pool in pools
        ),
    )


def keys_table(keys: Sequence[Record], now: datetime) -> Table:
    """Return API keys, without their secrets, one a row."""
    return outputs.table(
        ("id", "name", "key", "scopes", "workflow", "created", "last used"),
        (
            (
                key["id"],
                str(key.get("name") or ""),
                f"{key['prefix']}…" if key.get("prefix") else "",
                ", ".join(key.get("scopes") or ()),
                str(key.get("workflow") or "all"),
                durations.ago(key.get("createdAt"), now),
                durations.ago(key.get("lastUsedAt"), now) or "never",
            )
            for key in keys
        ),
    )


def run_page(run: Record, now: datetime) -> Group:
    """Return everything about one run: facts, attempts, input, and result or error."""
    parts: list[RenderableType] = [facts(_run_facts(run, now))]
    if run.get("attempts"):
        parts += [Text(), Text("Attempts", style="bold"), attempts_table(run["attempts"], now)]
    if "input" in run:
        parts += [Text(), Text("Input", style="bold"), outputs.payload(run["input"])]
    parts += [Text(), *outcome(run)]
    return Group(*parts)


def outcome(run: Record) -> list[RenderableType]:
    """Return how a run ended: its result, or its error with the remote stack trace."""
    if run["status"] in ("succeeded", "completed"):
        return [Text("Result", style="bold green"), outputs.payload(result_of(run))]
    if run["status"] == "canceled":
        return [Text("The run was canceled.", style="bold magenta")]
    if run["status"] != "failed":
        return [Text(f"The run is {run['status']}.", style="dim")]
    headline = trees.headline_for(run)
    trace = str((run.get("errorDetails") or {}).get("stackTrace") or "").rstrip()
    if trace:
        # A Python trace ends with its own error line; saying it twice helps nobody.
        body = trace if headline and trace.endswith(headline) else f"{trace}\n{headline}".rstrip()
        return [panel(body, f"The run {_ended(run)}")]
    return [Text.assemble((f"The run {_ended(run)}", "bold red"), f": {headline}" if headline else ".")]


def result_of(run: Record) -> Any:
    """Return what the task returned: the API wraps a single value in a list."""
    results = run.get("results")
    return results[0] if isinstance(results, list) and len(results) == 1 else results


def panel(body: str, title: str, style: str = "red") -> Panel:
    """Return text in a frame, shown literally."""
    # Decoded, so that an escape sequence in an error becomes colour at most.
    return Panel(Text.from_ansi(body), title=Text(title), title_align="left", border_style=style, expand=False)


def rule(title: str) -> Rule:
    """Return a dim line with a title."""
    return Rule(Text(title, style="dim"), style="dim", align="left")


def attempts_table(attempts: Sequence[Record], now: datetime) -> Table:
    """Return the attempts of a run; numbers start at 1, as in messages."""
    return outputs.table(
        ("attempt", "status", "reason", "queued", "starting", "running", "cpu", "memory", "where"),
        (_attempt_row(attempt, now) for attempt in attempts),
    )


def facts(pairs: Sequence[tuple[str, str | Text]]) -> Table:
    """Return names and values in two columns, leaving out empty values."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        if value:
            grid.add_row(Text(name), value if isinstance(value, Text) else Text(value))
    return grid


def _attempt_row(attempt: Record, now: datetime) -> tuple[str | Text, ...]:
    timings, usage = attempt.get("timings") or {}, attempt.get("usage") or {}
    running = _seconds(timings.get("runningSeconds"))
    if attempt["status"] == "running":
        running = durations.between(attempt.get("startedAt"), None, now)
    peak = usage.get("maxRssBytes")
    return (
        str(attempt["attempt"] + 1),
        outputs.status(attempt["status"]),
        str(attempt.get("reason") or ""),
        _seconds(timings.get("queuedSeconds")),
        _seconds(timings.get("startingSeconds")),
        running,
        _seconds(usage.get("cpuSeconds")),
        durations.memory(peak) if peak else "",
        _where(attempt),
    )


def _where(attempt: Record) -> str:
    place = str(attempt.get("podName") or attempt.get("runner") or "")
    return f"{place} on {attempt['node']}" if attempt.get("node") else place


def _seconds(value: float | None) -> str:
    return "" if value is None else durations.human(value)


def _run_facts(run: Record, now: datetime) -> list[tuple[str, str | Text]]:
    parent, root = run.get("parentTaskRunId"), run.get("rootTaskRunId")
    return [
        ("Run", run["id"]),
        ("Task", str(run.get("task") or run.get("taskName") or "")),
        ("Status", outputs.status(run["status"])),
        ("Reason", str(run.get("reason") or "")),
        ("Duration", durations.between(run.get("startedAt"), run.get("completedAt"), now)),
        ("Created", _moment(run.get("createdAt"), now)),
        ("Plan", str(run.get("plan") or "")),
        ("Timeout", durations.human(run["timeoutSeconds"]) if run.get("timeoutSeconds") else ""),
        ("Retries", retries(run.get("retry")) if run.get("retry") else ""),
        ("Parent", str(parent or "")),
        ("Root", str(root or "") if root != run["id"] else ""),
        ("Retry of", str(run.get("retriedFrom") or "")),
        ("Idempotency key", str(run.get("idempotencyKey") or "")),
        ("Tags", ", ".join(run.get("tags") or ())),
    ]


def _moment(timestamp: str | None, now: datetime) -> str:
    moment = durations.parsed(timestamp)
    if moment is None:
        return ""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S} ({durations.ago(timestamp, now)})"


def _ended(run: Record) -> str:
    tries = len(run.get("attempts") or ())
    return f"failed after {tries} attempts" if tries > 1 else "failed"
