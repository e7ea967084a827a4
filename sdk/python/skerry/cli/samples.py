"""Example commands for a task, made from its parameters. Pure."""

import json
import shlex
from typing import Any

from skerry.cli import settings

_VALUES: dict[str, Any] = {
    "int": 2,
    "integer": 2,
    "float": 1.5,
    "number": 1.5,
    "bool": True,
    "boolean": True,
    "list": [],
    "array": [],
    "tuple": [],
    "set": [],
    "dict": {},
    "object": {},
}


def arguments_for(task: dict[str, Any]) -> list[Any]:
    """Return values that fit a task's required parameters, judging by their types."""
    return [_value_for(item) for item in task.get("parameters") or () if not item.get("hasDefault")]


def start_command(task: dict[str, Any], url: str) -> str:
    """Return the `skerry tasks start` line that starts a task."""
    words = ["skerry", "tasks", "start", task["name"]]
    words += [value if isinstance(value, str) else json.dumps(value) for value in arguments_for(task)]
    if url != settings.DEFAULT_URL:
        words += ["--url", url]
    return shlex.join(words)


def curl_command(task: dict[str, Any], url: str) -> str:
    """Return the curl line that starts a task and waits up to ten seconds for its result."""
    body = json.dumps({"task": task.get("slug") or task["name"], "input": arguments_for(task)})
    address = shlex.quote(f"{url}/v1/task-runs?wait=10")
    return f"curl {address} -H 'content-type: application/json' -d {shlex.quote(body)}"


def _value_for(parameter: dict[str, Any]) -> Any:
    kind = str(parameter.get("type") or "str").lower()
    if kind.startswith(("list[int", "list[float", "sequence[int", "sequence[float")):
        return [1, 2, 3]
    return _VALUES.get(kind.partition("[")[0].strip(), "World" if parameter["name"] == "name" else "text")
