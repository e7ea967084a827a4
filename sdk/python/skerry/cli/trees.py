"""A run and its descendants as a tree to look at. Pure: the server's tree JSON in, a Rich tree out."""

from collections import Counter
from datetime import datetime
from typing import Any

from rich.text import Text
from rich.tree import Tree

from skerry.cli import durations, outputs

_FOLDS = (1000, 100, 40, 20, 10, 5, 3, 2, 1)
"""How many children of one parent are shown, from generous to tight; the first that fits is used."""

_INTEREST = {"failed": 0, "running": 1, "paused": 1, "canceled": 2, "pending": 3, "succeeded": 4, "completed": 4}
"""Which children stay visible when not all fit: lower is more telling."""

_ERROR_LENGTH = 100


def tree_for(node: dict[str, Any], now: datetime, max_rows: int = 10_000) -> Tree:
    """Return a run and its descendants as a tree, folded to fit.

    Args:
        node: `{"run": TaskRun, "children": [node, …]}`, as the tree route answers.
        now: The current time, for what is still running.
        max_rows: Rows the tree may take. When it is larger, siblings are folded into a summary line,
            succeeded ones first.
    """
    fold = next((fold for fold in _FOLDS if rows_of(node, fold) <= max_rows), _FOLDS[-1])
    tree = Tree(label_for(node["run"], now), guide_style="dim")
    _add_children(tree, node["children"], now, fold)
    return tree


def rows_of(node: dict[str, Any], fold: int) -> int:
    """Return how many rows a tree takes when at most `fold` children of each parent are shown."""
    children = node["children"]
    shown = _most_telling(children, fold)
    return 1 + sum(rows_of(child, fold) for child in shown) + (len(shown) < len(children))


def label_for(run: dict[str, Any], now: datetime) -> Text:
    """Return one line about a run: mark, task, how long, which attempt, and what went wrong."""
    state = run["status"]
    label = Text.assemble(
        outputs.status(state, ""), " ", (str(run.get("taskName") or run.get("task") or run["id"]), "bold")
    )
    for remark in _remarks(run, now):
        label.append(f"  {remark}", style="dim")
    if state in ("failed", "canceled"):
        label.append(f"  {_cause(run)}", style=outputs.STATUS_STYLES[state])
    return label


def counts(node: dict[str, Any]) -> Counter[str]:
    """Return how many runs of the tree are in each status."""
    total = Counter([str(node["run"]["status"])])
    for child in node["children"]:
        total.update(counts(child))
    return total


def names(node: dict[str, Any]) -> dict[str, str]:
    """Return the task name of every run in the tree, by run id."""
    run = node["run"]
    found = {run["id"]: str(run.get("taskName") or run["id"])}
    for child in node["children"]:
        found.update(names(child))
    return found


def _add_children(branch: Tree, children: list[dict[str, Any]], now: datetime, fold: int) -> None:
    shown = _most_telling(children, fold)
    for child in shown:
        _add_children(branch.add(label_for(child["run"], now)), child["children"], now, fold)
    if len(shown) < len(children):
        visible = {id(child) for child in shown}
        rest = Counter(str(child["run"]["status"]) for child in children if id(child) not in visible)
        parts = ", ".join(f"{count} {state}" for state, count in rest.most_common())
        branch.add(Text(f"… and {rest.total()} more: {parts}", style="dim"))


def _most_telling(children: list[dict[str, Any]], fold: int) -> list[dict[str, Any]]:
    if len(children) <= fold:
        return children
    seen: Counter[str] = Counter()
    ranked = []
    for index, child in enumerate(children):
        task = str(child["run"].get("taskName"))
        # One run of every task tells more than many of the first task.
        ranked.append((_INTEREST.get(child["run"]["status"], 3), seen[task], index))
        seen[task] += 1
    return [children[index] for index in sorted(index for _, _, index in sorted(ranked)[:fold])]


def _remarks(run: dict[str, Any], now: datetime) -> list[str]:
    remarks = []
    if elapsed := durations.between(run.get("startedAt"), run.get("completedAt"), now):
        remarks.append(elapsed)
    elif run["status"] == "pending":
        remarks.append(waiting_for(run, now))
    tries = len(run.get("attempts") or ())
    if tries > 1:
        allowed = (run.get("retry") or {}).get("maxRetries")
        remarks.append(
            f"attempt {tries}" + (f" of {allowed + 1}" if allowed is not None and tries <= allowed + 1 else "")
        )
    return remarks


def waiting_for(run: dict[str, Any], now: datetime) -> str:
    """Return what a pending run waits for, such as `starts in 5.0 s` or `queued for 120 ms`."""
    delayed = durations.parsed(run.get("delayedUntil"))
    if delayed is not None and delayed > now:
        return f"starts in {durations.human((delayed - now).total_seconds())}"
    return f"queued for {durations.between(run.get('createdAt'), None, now) or '0 ms'}"


def _cause(run: dict[str, Any]) -> str:
    if run["status"] == "canceled":
        return str(run.get("reason") or "canceled")
    headline = headline_for(run) or str(run.get("reason") or "failed")
    line = headline.partition("\n")[0]
    return line if len(line) <= _ERROR_LENGTH else line[: _ERROR_LENGTH - 1] + "…"


def headline_for(run: dict[str, Any]) -> str:
    """Return the error of a failed run the way Python ends a traceback, or an empty string if there is none."""
    details = run.get("errorDetails") or {}
    message = str(details.get("message") or run.get("error") or "").strip()
    kind = details.get("type")
    # `Error` is what the server says when it knows no better.
    return f"{kind}: {message}" if kind and kind != "Error" and message else message
