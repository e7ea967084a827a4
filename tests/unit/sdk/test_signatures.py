import json
from typing import Any

import pytest

from skerry import InvalidInput, SerializationError
from skerry.signatures import Signature
from tests.unit.sdk.programs import File, Plan, Socket, generate, square, sum_squares


def varied(first: int, /, second: int = 2, *rest: int, third: str = "c", **others: float) -> None: ...


VARIED = Signature("varied", varied, takes_context=False)


def named(a: int, b: int, c: int = 3) -> None: ...


NAMED = Signature("named", named, takes_context=False)


@pytest.mark.parametrize(
    ("args", "kwargs", "sent"),
    [
        ((1, 2), {}, [1, 2]),
        ((), {"a": 1, "b": 2}, {"a": 1, "b": 2}),
        ((1,), {"b": 2}, [1, 2]),
        ((1,), {"c": 4, "b": 2}, [1, 2, 4]),
        ((1, 2), {"c": 4}, [1, 2, 4]),
    ],
)
def test_arguments_are_a_list_where_they_can_be(args: Any, kwargs: Any, sent: Any) -> None:
    assert json.loads(NAMED.encode_call(args, kwargs)) == sent


def test_arguments_with_a_gap_are_an_object() -> None:
    assert json.loads(generate.signature.encode_call((Plan("p"),), {"options": {"depth": 1}})) == {
        "plan": {"title": "p", "files": [], "parent": None},
        "options": {"depth": 1},
    }


def test_variadic_arguments_come_through() -> None:
    assert VARIED.decode_call(json.loads(VARIED.encode_call((1, 2, 3, 4), {}))) == ([1, 2, 3, 4], {})
    with pytest.raises(InvalidInput, match="positional-only or"):
        VARIED.encode_call((1,), {"third": "x"})


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ([1, 2, 3, 4], r"named\(\) takes at most 3 positional arguments \(a, b, c\), got 4"),
        ([1], r"named\(\): argument 'b' is missing"),
        ({"a": 1, "b": 2, "d": 3}, r"named\(\) has no parameter 'd'; it has: a, b, c"),
        ([1, "x"], r"named\(b\): expected int, got string 'x'"),
        ("text", r"input must be a list or an object, got str"),
    ],
)
def test_input_that_does_not_fit_names_the_parameter(payload: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        NAMED.decode_call(payload)


def test_the_context_is_no_parameter() -> None:
    assert [parameter.name for parameter in sum_squares.signature.parameters] == ["count", "start"]


def test_an_argument_without_a_json_form_is_named_before_anything_is_sent() -> None:
    plan = Plan("p", [File("a"), File("b"), File("c", Socket())])  # type: ignore[arg-type]
    with pytest.raises(
        SerializationError, match=r"generate\(plan\.files\[2\]\.content\): cannot serialize object of type Socket"
    ):
        generate.signature.encode_call((plan,), {})
    with pytest.raises(SerializationError, match=r"square\(x\): NaN has no JSON form"):
        square.signature.encode_call((float("nan"),), {})


def test_a_result_without_a_json_form_is_named() -> None:
    with pytest.raises(SerializationError, match=r"generate\(\) -> result\['a'\]: cannot serialize"):
        generate.signature.encode_result({"a": Socket()})


@pytest.mark.parametrize(
    ("text", "value"), [(b"[7]", 7), (b"[[7]]", [7]), (b"[1,2]", [1, 2]), (b"[]", []), (b"", None), (b"[null]", None)]
)
def test_results_of_other_sdks_are_understood(text: bytes, value: Any) -> None:
    def anything() -> Any: ...

    assert Signature("anything", anything, takes_context=False).decode_result(text) == value


def test_a_result_that_does_not_fit_is_named() -> None:
    with pytest.raises(SerializationError, match=r"square\(\) -> result: expected int, got string 'x'"):
        square.signature.decode_result(b'["x"]')
