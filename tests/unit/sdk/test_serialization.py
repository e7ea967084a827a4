import datetime
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skerry.serialization.decode import decoder_for
from skerry.serialization.encode import Unserializable, to_json
from skerry.serialization.mismatches import Mismatch
from skerry.serialization.records import Record
from tests.unit.sdk.programs import ROUND_TRIPS, Box, Colour, File, Invoice, Options, Plan, Point, Socket


def round_trip(value: Any, hint: Any) -> Any:
    return decoder_for(hint)(json.loads(to_json(value)))


@pytest.mark.parametrize(("value", "hint"), ROUND_TRIPS, ids=[str(hint) for _, hint in ROUND_TRIPS])
def test_values_come_back_as_their_annotation_says(value: Any, hint: Any) -> None:
    rebuilt = round_trip(value, hint)
    assert rebuilt == value
    assert type(rebuilt) is type(value)


plain_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(plain_json)
@settings(max_examples=150)
def test_any_json_comes_back_unchanged(value: Any) -> None:
    assert round_trip(value, Any) == value


@given(st.timedeltas())
def test_any_timedelta_comes_back_to_the_microsecond(value: datetime.timedelta) -> None:
    assert round_trip(value, datetime.timedelta) == value


scalars = st.datetimes(timezones=st.just(datetime.UTC)) | st.binary() | st.decimals(allow_nan=False) | st.uuids()


@given(scalars)
@settings(max_examples=150)
def test_any_scalar_comes_back(value: Any) -> None:
    assert round_trip(value, type(value)) == value


def test_text_is_compact_utf8() -> None:
    assert to_json({"a": [1, "é"]}) == '{"a":[1,"é"]}'.encode()


def test_a_lone_surrogate_is_escaped() -> None:
    assert to_json("\ud800") == b'"\\ud800"'


@pytest.mark.parametrize(
    ("value", "path", "problem"),
    [
        (Socket(), "", "cannot serialize object of type Socket; use"),
        ({"a": [1, Socket()]}, "['a'][1]", "type Socket"),
        (Plan("p", [File("a"), File("b", Socket())]), ".files[1].content", "type Socket"),  # type: ignore[arg-type]
        (Point(1, Socket()), ".y", "type Socket"),  # type: ignore[arg-type]
        ([float("nan")], "[0]", "NaN has no JSON form"),
        ({"x": float("-inf")}, "['x']", "-Infinity has no JSON form"),
        ({(1, 2): 3}, "", "a key of type tuple"),
    ],
)
def test_what_has_no_json_form_is_named_with_its_path(value: Any, path: str, problem: str) -> None:
    with pytest.raises(Unserializable) as caught:
        to_json(value)
    assert caught.value.path == path
    assert problem in caught.value.problem


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append({"again": loop})
    with pytest.raises(Unserializable, match="contains itself"):
        to_json(loop)


@pytest.mark.filterwarnings("ignore:coroutine")
def test_a_forgotten_await_is_suspected() -> None:
    async def work() -> None: ...

    coroutine = work()
    with pytest.raises(Unserializable, match="was an `await` forgotten"):
        to_json([coroutine])
    coroutine.close()


@pytest.mark.parametrize(
    ("hint", "value", "place", "problem"),
    [
        (int, "3", "", "expected int, got string '3'"),
        (int, True, "", "expected int, got boolean True"),
        (int, 1.5, "", "expected int, got number 1.5"),
        (list[int], [1, "x"], "[1]", "expected int"),
        (dict[str, list[int]], {"a": [None]}, "['a'][0]", "expected int, got null"),
        (Plan, {"title": "p", "files": [{"name": 3}]}, ".files[0].name", "expected str, got number 3"),
        (Plan, {"titel": "p"}, "", "Plan has no field 'titel'; it has: title, files, parent"),
        (Plan, {}, "", "missing 1 required positional argument: 'title'"),
        (Options, {"note": "x"}, "", "Options needs the key 'depth'"),
        (Colour, "blue", "", "expected one of 'red', [1, 2], got string 'blue'"),
        (int | str, [], "", "expected int or str, got a list of 0"),
        (Box[int], {"item": "x"}, ".item", "expected int"),
        (Invoice, {"number": 1, "due": "never"}, ".due", "date"),
        (bytes, "?", "", "expected base64"),
        (datetime.date, "soon", "", "expected date, got string 'soon'"),
        (tuple[int, str], [1], "", "expected a list of 2"),
        (Socket, {}, "", "cannot build Socket from JSON"),
    ],
)
def test_json_that_does_not_fit_is_named_with_its_path(hint: Any, value: Any, place: str, problem: str) -> None:
    with pytest.raises(Mismatch) as caught:
        decoder_for(hint)(value)
    assert caught.value.place == place
    assert problem in caught.value.problem


def test_objects_nobody_annotated_read_like_objects_and_dicts() -> None:
    plan = decoder_for(Any)({"sandbox_id": "s1", "files": [{"name": "a"}]})
    assert plan.sandbox_id == plan["sandbox_id"] == "s1"
    assert plan.files[0].name == "a"
    assert isinstance(plan, Record)
    with pytest.raises(AttributeError, match="no field 'sandbox'; it has: sandbox_id, files"):
        plan.sandbox  # noqa: B018


def test_the_order_of_a_union_decides_where_json_cannot() -> None:
    assert round_trip(datetime.date(2026, 1, 2), str | datetime.date) == "2026-01-02"
    assert round_trip("2026-01-02", datetime.date | str) == datetime.date(2026, 1, 2)
