import jsonschema_rs
import pytest

from skerry import Retry, Workflows
from skerry.runtime.registrations import registration_of
from tests.unit.sdk.programs import Invoice, Plan, generate, square, sum_squares


def test_a_task_is_registered_with_everything_that_was_written() -> None:
    assert registration_of(square) == {
        "name": "square",
        "options": {},
        "parameters": [{"name": "x", "type": "int", "has_default": False}],
        "input_schema": {
            "type": "object",
            "properties": {"x": {"type": "integer"}},
            "required": ["x"],
            "additionalProperties": False,
        },
        "description": "Multiply a number by itself.",
    }


def test_options_and_defaults_are_registered_and_the_context_is_not() -> None:
    entry = registration_of(sum_squares)
    assert entry["options"] == {"timeout_seconds": 60, "plan": "pro"}
    assert entry["parameters"] == [
        {"name": "count", "type": "int", "has_default": False},
        {"name": "start", "type": "int", "has_default": True, "default_value": "0"},
    ]


def test_retry_settings_are_spelled_as_the_socket_does() -> None:
    app = Workflows()

    @app.task(retry=Retry(2, 500, 3))
    def pay() -> None: ...

    assert registration_of(pay)["options"] == {"retry": {"max_retries": 2, "wait_duration_ms": 500, "factor": 3}}


def test_a_concurrency_limit_is_registered_and_is_at_least_one() -> None:
    app = Workflows()

    @app.task(concurrency_limit=2)
    def pay() -> None: ...

    assert registration_of(pay)["options"] == {"concurrency_limit": 2}
    with pytest.raises(ValueError, match="concurrency_limit must be at least 1, got 0"):
        app.task(concurrency_limit=0)


def test_the_schema_accepts_what_the_task_accepts() -> None:
    schema = registration_of(generate)["input_schema"]
    accepts = jsonschema_rs.validator_for(schema).is_valid
    assert accepts({"plan": {"title": "p", "files": [{"name": "a", "content": "eA=="}], "parent": {"title": "q"}}})
    assert accepts({"plan": {"title": "p"}, "options": {"depth": 3}})
    assert not accepts({"plan": {}})
    assert not accepts({"plan": {"title": "p", "files": [{"name": 3}]}})
    assert not accepts({"plan": {"title": "p"}, "modle": "x"})
    assert schema["$defs"]["Plan"]["properties"]["parent"]["anyOf"][0] == {"$ref": "#/$defs/Plan"}


def test_models_bring_their_own_schema() -> None:
    app = Workflows()

    @app.task
    def bill(invoice: Invoice, plans: list[Plan], **rest: int) -> None: ...

    entry = registration_of(bill)
    assert "parameters" not in entry
    assert entry["input_schema"]["$defs"]["Invoice"]["properties"]["due"]["format"] == "date"
    assert entry["input_schema"]["additionalProperties"] == {"type": "integer"}
