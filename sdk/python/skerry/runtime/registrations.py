"""Register mode: tell the runner which tasks there are, with their options and parameters."""

from __future__ import annotations

import inspect
from typing import Any

from skerry.apps import Workflows
from skerry.runtime.messages import json_bytes
from skerry.runtime.sockets import SocketClient
from skerry.serialization.encode import Unserializable, to_json
from skerry.serialization.hints import shown
from skerry.serialization.schemas import schema_of_parameters
from skerry.signatures import MISSING, Parameter
from skerry.tasks import Task


def register(app: Workflows, path: str) -> None:
    """Post the tasks of `app` to the runner at `path`.

    Raises:
        ApiError: the runner refused them.
    """
    SocketClient(path).request(
        "POST", "/register-tasks", json_bytes({"tasks": [registration_of(task) for task in app]})
    )


def registration_of(task: Task[..., Any]) -> dict[str, Any]:
    """One task as registration spells it."""
    options = {
        "retry": task.retry.to_socket() if task.retry else None,
        "timeout_seconds": task.timeout_seconds,
        "plan": task.plan,
        "concurrency_limit": task.concurrency_limit,
    }
    entry: dict[str, Any] = {
        "name": task.name,
        "options": {key: value for key, value in options.items() if value is not None},
        "parameters": [_parameter(item) for item in task.signature.parameters if not _is_variadic(item)],
        "input_schema": schema_of_parameters(task.signature.parameters),
    }
    if any(_is_variadic(item) for item in task.signature.parameters):
        # The platform checks the number of arguments against this list; with *args or **kwargs any number is right.
        del entry["parameters"]
    description = inspect.getdoc(task.function)
    if description:
        entry["description"] = description
    return entry


def _is_variadic(parameter: Parameter) -> bool:
    return parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _parameter(parameter: Parameter) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": parameter.name, "has_default": parameter.default is not MISSING}
    if parameter.hint is not MISSING:
        entry["type"] = shown(parameter.hint)
    if parameter.default is not MISSING and parameter.default is not None:
        try:
            entry["default_value"] = to_json(parameter.default).decode()
        except Unserializable:
            # A default that only Python can make stays in Python; `has_default` is enough for the platform.
            return entry
    return entry
