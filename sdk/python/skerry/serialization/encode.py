"""Values to JSON text.

| value | JSON |
|---|---|
| None, bool, int, finite float, str, dict, list, tuple | itself; keys may also be int, enum, date, UUID, … |
| set, frozenset, deque | list |
| NamedTuple | list of its fields |
| dataclass | object of its `init` fields |
| pydantic model | its own JSON form, by alias |
| enum | its value |
| datetime, date, time | ISO 8601 |
| timedelta | ISO 8601 duration in seconds, for example `PT90.5S` |
| bytes, bytearray | base64 |
| UUID, Decimal, Path | its text |

The C encoder of `json` does the work and asks `_substitute` about what it does not know. Only when it fails is the
value walked in Python, to name the place.
"""

from __future__ import annotations

import binascii
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from skerry.errors import SerializationError

ADVICE = "use JSON values, dataclasses, pydantic models, TypedDicts, enums, dates, UUIDs, bytes, Decimals or paths"


class Unserializable(Exception):
    """A value without a JSON form, and where it is: `path` is like `.files[2].content`."""

    def __init__(self, path: str, problem: str) -> None:
        """Say what is wrong at `path`."""
        super().__init__(problem)
        self.path = path
        self.problem = problem


def _duration(value: Any) -> str:
    micros = (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds
    whole, rest = divmod(abs(micros), 1_000_000)
    fraction = f".{rest:06d}".rstrip("0") if rest else ""
    return f"{'-' if micros < 0 else ''}PT{whole}{fraction}S"


def _base64(value: Any) -> str:
    return binascii.b2a_base64(value, newline=False).decode("ascii")


def _isoformat(value: Any) -> Any:
    return value.isoformat()


def _enum_value(value: Any) -> Any:
    return value.value


def _dataclass_fields(value: Any) -> dict[str, Any]:
    fields = type(value).__dataclass_fields__
    # dataclasses.fields() without importing dataclasses: pseudo-fields (ClassVar, InitVar) carry another _field_type.
    return {name: getattr(value, name) for name, field in fields.items() if field.init and _is_real(field)}


def _is_real(field: Any) -> bool:
    return getattr(field._field_type, "name", "") == "_FIELD"


def _model_json(value: Any) -> Any:
    return value.model_dump(mode="json", by_alias=True, round_trip=True)


# Looked up by name, so that a program that does not use decimal, uuid or pathlib does not import them.
_BY_CLASS: Mapping[tuple[str, str], Callable[[Any], Any]] = {
    ("builtins", "set"): list,
    ("builtins", "frozenset"): list,
    ("collections", "deque"): list,
    ("builtins", "bytes"): _base64,
    ("builtins", "bytearray"): _base64,
    ("datetime", "datetime"): _isoformat,
    ("datetime", "date"): _isoformat,
    ("datetime", "time"): _isoformat,
    ("datetime", "timedelta"): _duration,
    ("uuid", "UUID"): str,
    ("decimal", "Decimal"): str,
    ("pathlib", "PurePath"): str,
    ("enum", "Enum"): _enum_value,
}
_substitutes: dict[type, Callable[[Any], Any]] = {}


def class_key(kind: type) -> tuple[str, str]:
    """How the tables of this package name a class: its top-level module (pathlib moves its classes about) and its name."""
    return kind.__module__.partition(".")[0], kind.__qualname__


def _find_substitute(kind: type) -> Callable[[Any], Any] | None:
    for klass in kind.__mro__:
        found = _BY_CLASS.get(class_key(klass))
        if found is not None:
            return found
    if hasattr(kind, "__pydantic_serializer__") and hasattr(kind, "model_dump"):
        return _model_json
    if hasattr(kind, "__dataclass_fields__"):
        return _dataclass_fields
    return None


def _substitute(value: Any) -> Any:
    kind = type(value)
    found = _substitutes.get(kind) or _find_substitute(kind)
    if found is None:
        raise TypeError(kind.__qualname__)
    _substitutes[kind] = found
    return found(value)


_compact = json.JSONEncoder(default=_substitute, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode
_ascii = json.JSONEncoder(default=_substitute, allow_nan=False, separators=(",", ":")).encode


def to_json(value: Any) -> bytes:
    """`value` as compact JSON in UTF-8.

    Raises:
        Unserializable: some part of it has no JSON form; `path` says which.
    """
    try:
        text = _compact(value)
    except (TypeError, ValueError, RecursionError):
        text = _compact(plain(value))
    try:
        return text.encode()
    except UnicodeEncodeError:
        # A lone surrogate has no UTF-8 form, but it has an escape.
        return _ascii(plain(value)).encode()


def plain(value: Any, path: str = "", _parents: frozenset[int] = frozenset()) -> Any:
    """`value` as None, bool, int, float, str, list and dict only.

    Raises:
        Unserializable: some part of it has no JSON form; `path` says which.
    """
    if value is None or isinstance(value, bool | int | str):
        return _without_enum(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Unserializable(path, f"{_shown_float(value)} has no JSON form; send None or a string instead")
        return value
    if id(value) in _parents:
        raise Unserializable(path, "it contains itself")
    if len(_parents) > 200:
        raise Unserializable(path, "it is nested more than 200 levels deep")
    parents = _parents | {id(value)}
    if isinstance(value, dict):
        return {_key(key, path): plain(item, f"{path}[{key!r}]", parents) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, path + _place(value, index), parents) for index, item in enumerate(value)]
    try:
        simpler = _substitute(value)
    except TypeError:
        raise Unserializable(path, _cannot(value)) from None
    except Exception as error:
        raise Unserializable(path, f"{type(value).__qualname__} failed to turn itself into JSON: {error}") from error
    if isinstance(simpler, dict):
        return {key: plain(item, f"{path}.{key}", parents) for key, item in simpler.items()}
    return plain(simpler, path, parents)


def _without_enum(value: Any) -> Any:
    """The value of an IntEnum or StrEnum member, anything else itself."""
    return value.value if hasattr(type(value), "__members__") else value


def _place(value: Any, index: int) -> str:
    names = getattr(value, "_fields", None)
    return f".{names[index]}" if names else f"[{index}]"


def _shown_float(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _cannot(value: Any) -> str:
    kind = type(value).__qualname__
    if hasattr(value, "__await__"):
        return f"cannot serialize object of type {kind}; was an `await` forgotten?"
    return f"cannot serialize object of type {kind}; {ADVICE}"


def _key(key: Any, path: str) -> Any:
    if key is None or isinstance(key, str | int | float):
        return _without_enum(key)
    try:
        simpler = _substitute(key)
    except TypeError:
        simpler = key
    if not isinstance(simpler, str | int | float):
        raise Unserializable(path, f"a key of type {type(key).__qualname__} cannot be the key of a JSON object")
    return simpler


def serialization_error(task: str, place: str, error: Unserializable) -> SerializationError:
    """The error a user sees: `task(place.path): problem`."""
    return SerializationError(f"{task}({place}{error.path}): {error.problem}")
