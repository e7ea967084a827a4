"""Task definitions as a version registers them, their addresses, and what arguments they take."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from skerry_api.domain.errors import InvalidRequest, NotFound
from skerry_api.domain.limits import Limits
from skerry_api.domain.plans import DEFAULT_PLAN, plan_named
from skerry_api.domain.retries import Retry

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}\Z")
SLUG = re.compile(r"[a-z0-9]([a-z0-9\-]{0,61}[a-z0-9])?\Z")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a task's function."""

    name: str
    type: str | None = None
    has_default: bool = False
    default_value: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One task of one version, with every option settled."""

    name: str
    retry: Retry
    timeout_seconds: float
    plan: str
    parameters: tuple[Parameter, ...] | None = None
    input_schema: Mapping[str, Any] | None = None
    description: str | None = None
    # How many attempts may be live at once, those that only wait for children not counted; None: no limit of its own.
    concurrency_limit: int | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """What a client wrote to name a task: `workflow/task[:version]`, a bare `task`, or a `tsk-` id."""

    workflow: str | None
    task: str
    version: str | None = None
    task_id: str | None = field(default=None)


def parse_address(text: str) -> Address:
    """Read a task's address.

    Raises:
        InvalidRequest: it is empty or has more than one slash.
    """
    if text.startswith("tsk-") and "/" not in text:
        return Address(None, "", None, text)
    slug, slash, rest = text.rpartition("/")
    name, _, version = rest.partition(":")
    if not name or "/" in slug or (slash and not slug):
        raise InvalidRequest(
            f"task must be 'workflow/task', optionally with ':version', or a 'tsk-…' id; got {text!r}",
            code="invalid_task_address",
        )
    return Address(slug or None, name, version or None)


def task_not_found(wanted: str, names: Iterable[str], where: str) -> NotFound:
    """A 404 that lists the near matches, or all there are."""
    known = sorted(names)
    near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
    if near:
        hint = f"Did you mean {' or '.join(repr(name) for name in near)}?"
    elif known:
        hint = f"It has: {', '.join(known[:10])}{' …' if len(known) > 10 else ''}."
    else:
        hint = "It has registered no tasks yet."
    return NotFound(f"{where} has no task {wanted!r}. {hint}", code="task_not_found", details={"nearMatches": near})


def check_timeout(seconds: float, limits: Limits, *, field_name: str = "timeoutSeconds") -> float:
    """`seconds` if it is within the limits.

    Raises:
        InvalidRequest: it is too short or too long.
    """
    if not limits.timeout_seconds_min <= seconds <= limits.timeout_seconds_max:
        low, high = limits.timeout_seconds_min, limits.timeout_seconds_max
        raise InvalidRequest(f"{field_name} must be between {low:g} and {high:g} seconds, got {seconds:g}")
    return float(seconds)


def check_retry(retry: Retry) -> Retry:
    """`retry` if its numbers make sense.

    Raises:
        InvalidRequest: one of them is out of range.
    """
    if not 0 <= retry.max_retries <= 1000:
        raise InvalidRequest(f"retry.maxRetries must be between 0 and 1000, got {retry.max_retries}")
    if not 0 <= retry.wait_duration_ms <= 86_400_000:
        raise InvalidRequest(
            f"retry.waitDurationMs must be between 0 and 86400000 (a day), got {retry.wait_duration_ms}"
        )
    if not 1.0 <= retry.factor <= 100.0:
        raise InvalidRequest(f"retry.factor must be between 1 and 100, got {retry.factor:g}")
    return retry


def define_tasks(registered: Sequence[Mapping[str, Any]], limits: Limits) -> list[Task]:
    """The tasks of a registration message, checked, with defaults filled in.

    Raises:
        InvalidRequest: names clash or are malformed, there are too many, or an option is out of range.
    """
    if len(registered) > limits.tasks:
        raise InvalidRequest(f"{len(registered)} tasks were registered; a version may have at most {limits.tasks}")
    tasks = [_define_task(entry, limits) for entry in registered]
    names = [task.name for task in tasks]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InvalidRequest(f"tasks are registered twice: {', '.join(doubled)}")
    return tasks


def _define_task(entry: Mapping[str, Any], limits: Limits) -> Task:
    name = entry.get("name")
    if not isinstance(name, str) or not NAME.match(name):
        raise InvalidRequest(f"task name {name!r} must be 1–128 letters, digits, '_', '-' or '.'")
    options = entry.get("options") or {}
    try:
        timeout = options.get("timeout_seconds")
        seconds = limits.timeout_seconds_default if timeout is None else check_timeout(float(timeout), limits)
        retry = _define_retry(options.get("retry"))
        plan = plan_named(options.get("plan") or DEFAULT_PLAN).name
        parameters = _define_parameters(entry.get("parameters"))
        limit = _define_concurrency(options.get("concurrency_limit"))
    except InvalidRequest as error:
        raise InvalidRequest(f"task {name!r}: {error.message}", code=error.code) from error
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise InvalidRequest(f"task {name!r}: malformed options: {error}") from error
    return Task(name, retry, seconds, plan, parameters, entry.get("input_schema"), entry.get("description"), limit)


def _define_retry(given: Mapping[str, Any] | None) -> Retry:
    if not given:
        return Retry()
    # An absent factor means 1.5, as in Render's documentation for a Retry without scaling.
    factor = given.get("factor")
    return check_retry(
        Retry(
            int(given.get("max_retries", 3)),
            int(given.get("wait_duration_ms", 1000)),
            1.5 if factor is None else float(factor),
        )
    )


def _define_concurrency(given: Any) -> int | None:
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= 10_000:
        raise InvalidRequest(f"concurrency_limit must be a whole number from 1 to 10000, got {given!r}")
    return given


def _define_parameters(given: Sequence[Mapping[str, Any]] | None) -> tuple[Parameter, ...] | None:
    if given is None:
        return None
    return tuple(
        Parameter(entry["name"], entry.get("type"), bool(entry.get("has_default")), entry.get("default_value"))
        for entry in given
    )


_JSON_TYPES: Mapping[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "bool": (bool,),
    "list": (list,),
    "dict": (dict,),
}


def check_arguments(task: Task, arguments: Any) -> None:
    """Refuse arguments that `task`'s function cannot take, naming the parameter.

    Only what registration states is checked: names, number, and the JSON type of parameters annotated with a builtin; and only
    where a schema came with it, because without one a list of parameters does not tell `*args` from an argument.

    Raises:
        InvalidRequest: code `invalid_arguments`.
    """
    if not isinstance(arguments, list | dict):
        kind = type(arguments).__name__
        raise _bad_arguments(task, f"input must be a list (by position) or an object (by name), not {kind}")
    if task.parameters is None or task.input_schema is None:
        return
    names = [parameter.name for parameter in task.parameters]
    if isinstance(arguments, list):
        if len(arguments) > len(names):
            raise _bad_arguments(task, f"it takes {_count(len(names))} ({', '.join(names)}), got {len(arguments)}")
        given = dict(zip(names, arguments, strict=False))
    else:
        unknown = [name for name in arguments if name not in names]
        if unknown:
            raise _bad_arguments(task, f"it has no parameter {unknown[0]!r}; it takes {', '.join(names) or 'none'}")
        given = arguments
    for parameter in task.parameters:
        if parameter.name in given:
            _check_type(task, parameter, given[parameter.name])
        elif not parameter.has_default:
            raise _bad_arguments(task, f"argument {parameter.name!r} is missing")


def _check_type(task: Task, parameter: Parameter, value: Any) -> None:
    expected = _JSON_TYPES.get(parameter.type or "")
    if expected is None:
        return
    if not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected):
        raise _bad_arguments(task, f"argument {parameter.name!r} must be {parameter.type}, got {_json_kind(value)}")


def _bad_arguments(task: Task, problem: str) -> InvalidRequest:
    return InvalidRequest(f"arguments of task {task.name!r}: {problem}", code="invalid_arguments")


def _count(number: int) -> str:
    return "1 argument" if number == 1 else f"{number} arguments"


def _json_kind(value: Any) -> str:
    if value is None:
        return "null"
    return {"str": "a string", "dict": "an object", "list": "a list", "bool": "a boolean"}.get(
        type(value).__name__, "a number"
    )
