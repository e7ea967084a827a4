"""Task addresses, registrations and arguments: what is accepted, and in which words the rest is refused."""

from __future__ import annotations

import pytest

from skerry_api.domain.errors import InvalidRequest, SkerryError
from skerry_api.domain.limits import Limits
from skerry_api.domain.retries import Retry
from skerry_api.domain.tasks import (
    Address,
    Parameter,
    Task,
    check_arguments,
    define_tasks,
    parse_address,
    task_not_found,
)

LIMITS = Limits()
PARAMETERS = (Parameter("a", "int"), Parameter("b", "float", True, "2.0"))
ADD = Task("add", Retry(), 60, "standard", PARAMETERS, {"type": "object"})


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("hello/square", Address("hello", "square")),
        ("hello/square:v2", Address("hello", "square", "v2")),
        ("square", Address(None, "square")),
        ("tsk-abc", Address(None, "", None, "tsk-abc")),
    ],
)
def test_addresses(text, address):
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "/", "hello/", "/square", "a/b/c", "hello/:v"])
def test_malformed_addresses(text):
    with pytest.raises(InvalidRequest, match="workflow/task"):
        parse_address(text)


@pytest.mark.parametrize("arguments", [[1], [1, 2.5], [1, 2], {"a": 1}, {"a": 1, "b": 3}])
def test_good_arguments(arguments):
    check_arguments(ADD, arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "argument 'a' is missing"),
        ([1, 2, 3], r"takes 2 arguments \(a, b\), got 3"),
        ({"a": 1, "c": 2}, "no parameter 'c'"),
        (["1"], "argument 'a' must be int, got a string"),
        ([True], "argument 'a' must be int, got a boolean"),
        ([None], "argument 'a' must be int, got null"),
        ([1, []], "argument 'b' must be float, got a list"),
        ("x", "must be a list"),
    ],
)
def test_bad_arguments_name_the_parameter(arguments, message):
    with pytest.raises(InvalidRequest, match=message):
        check_arguments(ADD, arguments)


@pytest.mark.parametrize("parameters", [None, PARAMETERS])
def test_tasks_without_a_schema_take_anything(parameters):
    check_arguments(Task("any", Retry(), 60, "standard", parameters), [1, "x", None])


def test_registration_fills_in_defaults():
    (task,) = define_tasks([{"name": "square"}], LIMITS)
    assert task == Task("square", Retry(3, 1000, 2.0), 7200, "standard", None)


def test_registration_takes_renders_shape():
    options = {"retry": {"max_retries": 1, "wait_duration_ms": 50}, "timeout_seconds": 60, "plan": "pro"}
    parameter = {"name": "x", "type": "int", "has_default": False}
    (task,) = define_tasks([{"name": "square", "options": options, "parameters": [parameter]}], LIMITS)
    assert task.retry == Retry(1, 50, 1.5)
    assert (task.timeout_seconds, task.plan, task.parameters) == (60, "pro", (Parameter("x", "int"),))


@pytest.mark.parametrize(
    ("registered", "message"),
    [
        ([{"name": "a"}, {"name": "a"}], "registered twice: a"),
        ([{"name": "no spaces"}], "must be 1–128"),
        ([{"name": "a", "options": {"timeout_seconds": 5}}], "task 'a': timeoutSeconds must be between 30"),
        ([{"name": "a", "options": {"plan": "standrd"}}], "Did you mean 'standard'"),
        ([{"name": "a", "options": {"retry": {"max_retries": -1}}}], "maxRetries"),
        ([{"name": "a", "options": 3}], "malformed"),
        ([{"name": f"t{n}"} for n in range(501)], "at most 500"),
    ],
)
def test_bad_registrations(registered, message):
    with pytest.raises(SkerryError, match=message):
        define_tasks(registered, LIMITS)


def test_an_unknown_task_lists_near_matches():
    error = task_not_found("plan_structur", ["plan_structure", "fix_code"], "workflow 'agent'")
    assert "Did you mean 'plan_structure'?" in error.message
    assert "workflow 'agent' has no task" in error.message
