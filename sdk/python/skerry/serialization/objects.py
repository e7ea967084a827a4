"""JSON objects to dataclasses, TypedDicts, NamedTuples and pydantic models."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from skerry.serialization import hints
from skerry.serialization.mismatches import Decoder, Mismatch
from skerry.serialization.records import as_records

Compile = Callable[[Any], Decoder]


def each(decoders: Iterable[Decoder], values: Iterable[Any]) -> Iterator[Any]:
    """Every value through its decoder; a mismatch carries the index."""
    for index, (decode, value) in enumerate(zip(decoders, values, strict=True)):
        try:
            yield decode(value)
        except Mismatch as mismatch:
            raise mismatch.within(f"[{index}]") from None


def expect_object(build: Callable[[Any], Any]) -> Decoder:
    """A decoder for objects whose contents nobody annotated."""

    def decode(value: Any) -> Any:
        if type(value) is not dict:
            raise Mismatch.expected("an object", value)
        return build({key: as_records(item) for key, item in value.items()})

    return decode


def dataclass(kind: Any, arguments: tuple[Any, ...], compile_hint: Compile) -> Decoder:
    """A decoder for a dataclass: fields by name, defaults for those left out, nothing it does not have."""
    types = hints.field_hints(kind, arguments)
    accepted = {
        name: compile_hint(types.get(name, Any)) for name, field in kind.__dataclass_fields__.items() if field.init
    }

    def decode(value: Any) -> Any:
        if type(value) is not dict:
            raise Mismatch.expected(f"an object for {kind.__name__}", value)
        try:
            return kind(**_fields(value, accepted, kind.__name__))
        except TypeError as error:
            raise Mismatch(f"{kind.__name__}: {_without_init(str(error))}") from None
        except ValueError as error:
            raise Mismatch(f"{kind.__name__}: {error}") from error

    return decode


def _fields(value: Mapping[str, Any], accepted: Mapping[str, Decoder], owner: str) -> dict[str, Any]:
    decoded = {}
    for name, item in value.items():
        decode = accepted.get(name)
        if decode is None:
            raise Mismatch(f"{owner} has no field {name!r}; it has: {', '.join(accepted) or 'none'}")
        try:
            decoded[name] = decode(item)
        except Mismatch as mismatch:
            raise mismatch.within(f".{name}") from None
    return decoded


def _without_init(message: str) -> str:
    return message.partition("__init__() ")[2] or message


def typed_dict(kind: Any, arguments: tuple[Any, ...], compile_hint: Compile) -> Decoder:
    """A decoder for a TypedDict: declared keys by their types, other keys as they come."""
    known = {name: compile_hint(hint) for name, hint in hints.field_hints(kind, arguments).items()}
    required = hints.required_keys(kind)

    def decode(value: Any) -> Any:
        if type(value) is not dict:
            raise Mismatch.expected(f"an object for {kind.__name__}", value)
        for name in required:
            if name not in value:
                raise Mismatch(f"{kind.__name__} needs the key {name!r}")
        decoded = {}
        for name, item in value.items():
            try:
                decoded[name] = known.get(name, as_records)(item)
            except Mismatch as mismatch:
                raise mismatch.within(f"[{name!r}]") from None
        return decoded

    return decode


def named_tuple(kind: Any, arguments: tuple[Any, ...], compile_hint: Compile) -> Decoder:
    """A decoder for a NamedTuple, from a list (how we send it) or an object."""
    types = hints.field_hints(kind, arguments)
    by_name = {name: compile_hint(types.get(name, Any)) for name in kind._fields}

    def decode(value: Any) -> Any:
        fields = value
        if type(value) is list and len(value) <= len(by_name):
            fields = dict(zip(by_name, value, strict=False))
        if type(fields) is not dict:
            raise Mismatch.expected(f"a list of {len(by_name)} for {kind.__name__}", value)
        try:
            return kind(**_fields(fields, by_name, kind.__name__))
        except TypeError as error:
            raise Mismatch(f"{kind.__name__}: {_without_init(str(error))}") from None

    return decode


def model(hint: Any) -> Decoder:
    """A decoder for a pydantic model, validated as JSON, so that strict models read dates and bytes too."""

    def decode(value: Any) -> Any:
        try:
            return hint.model_validate_json(json.dumps(value))
        except ValueError as error:
            raise _first_problem(hint, error) from None

    return decode


def _first_problem(hint: Any, error: ValueError) -> Mismatch:
    problems = error.errors() if hasattr(error, "errors") else []
    if not problems:
        return Mismatch(f"{hint.__name__}: {error}")
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    mismatch = Mismatch(f"{problems[0]['msg']}{more}")
    mismatch.path = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in problems[0]["loc"]]
    return mismatch
