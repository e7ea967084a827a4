"""JSON back to the values annotations describe: the inverse of `encode`.

`decoder_for(hint)` compiles a hint to a function once; running it costs no inspection. A value that does not fit
raises `Mismatch`, which carries the path. Choices where JSON says less than Python:

- No annotation, `Any` and `object`: JSON objects become `Record`s (`plan.sandbox_id` works as well as `plan["sandbox_id"]`).
- Unions: the member whose JSON type is exactly the value's comes first, then the others in the order written; so `str
  | datetime` is always
  a string and `datetime | str` a datetime if it reads like one.
- Classes nobody knows how to build (an open socket): refused.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args, get_origin

from skerry.serialization import hints, objects
from skerry.serialization.encode import class_key, plain
from skerry.serialization.mismatches import Decoder, Mismatch, described
from skerry.serialization.records import as_records
from skerry.serialization.scalars import SCALARS

# By hint and spelling: `A | B == B | A`, but the order decides which is tried first.
_compiled: dict[tuple[Any, str], Decoder] = {}


def decoder_for(hint: Any) -> Decoder:
    """The function that turns decoded JSON into what `hint` describes."""
    key = (hint, repr(hint))
    try:
        found = _compiled.get(key)
    except TypeError:  # an unhashable hint, such as Annotated[int, []]
        return _compile(hint)
    if found is None:
        # A type that mentions itself finds this placeholder while it is being compiled.
        _compiled[key] = lambda value: _compiled[key](value)
        found = _compiled[key] = _compile(hint)
    return found


def _compile(annotation: Any) -> Decoder:
    hint = hints.bare(annotation)
    if hint is Any or hint is object:
        return as_records
    members = hints.union_members(hint)
    if members is not None:
        return _union(members)
    origin, arguments = get_origin(hint) or hint, get_args(hint)
    if origin is Literal:
        return _literal(arguments)
    if not isinstance(origin, type):
        return as_records
    if hints.is_model(origin):
        return objects.model(hint)
    if hints.is_typed_dict(origin):
        return objects.typed_dict(origin, arguments, decoder_for)
    if hints.is_named_tuple(origin):
        return objects.named_tuple(origin, arguments, decoder_for)
    if hasattr(origin, "__dataclass_fields__"):
        return objects.dataclass(origin, arguments, decoder_for)
    return _by_class(origin, arguments)


def _by_class(kind: type, arguments: tuple[Any, ...]) -> Decoder:
    for klass in kind.__mro__:
        key = class_key(klass)
        if key in SCALARS:
            return SCALARS[key](kind)
        if key in _CONTAINERS:
            return _CONTAINERS[key](kind, arguments)
    return _instance_of(kind)


def _sequence(build: Callable[[Any], Any]) -> Callable[[type, tuple[Any, ...]], Decoder]:
    def make(kind: type, arguments: tuple[Any, ...]) -> Decoder:
        item = decoder_for(arguments[0]) if arguments else as_records

        def decode(value: Any) -> Any:
            if type(value) is not list:
                raise Mismatch.expected("a list", value)
            decoded: list[Any] = []
            try:
                for element in value:
                    decoded.append(item(element))
            except Mismatch as mismatch:
                raise mismatch.within(f"[{len(decoded)}]") from None
            return build(decoded)

        return decode

    return make


def _tuple(kind: type, arguments: tuple[Any, ...]) -> Decoder:
    if not arguments or arguments[-1] is Ellipsis:
        return _sequence(tuple)(kind, arguments)
    items = [] if arguments == ((),) else [decoder_for(argument) for argument in arguments]

    def decode(value: Any) -> Any:
        if type(value) is not list or len(value) != len(items):
            raise Mismatch.expected(f"a list of {len(items)}", value)
        return tuple(objects.each(items, value))

    return decode


def _mapping(build: Callable[[Any], Any]) -> Callable[[type, tuple[Any, ...]], Decoder]:
    def make(kind: type, arguments: tuple[Any, ...]) -> Decoder:
        if not arguments:
            return objects.expect_object(build)
        key, item = _key_decoder(arguments[0]), decoder_for(arguments[-1])

        def decode(value: Any) -> Any:
            if type(value) is not dict:
                raise Mismatch.expected("an object", value)
            decoded = {}
            for name, element in value.items():
                try:
                    decoded[key(name)] = item(element)
                except Mismatch as mismatch:
                    raise mismatch.within(f"[{name!r}]") from None
            return build(decoded)

        return decode

    return make


_KEY_WORDS: Mapping[str, Any] = {"null": None, "true": True, "false": False}


def _key_decoder(hint: Any) -> Decoder:
    """Keys of JSON objects are always text; other scalars are read back from it."""
    decode = decoder_for(hint)
    if hints.bare(hint) in (str, Any):
        return lambda key: key

    def decode_key(key: Any) -> Any:
        try:
            return decode(key)
        except Mismatch as mismatch:
            for read in (int, float, _KEY_WORDS.__getitem__):
                try:
                    return decode(read(key))
                except (ValueError, KeyError, Mismatch):
                    continue
            raise mismatch

    return decode_key


def _union(members: tuple[Any, ...]) -> Decoder:
    bare_members = [hints.bare(member) for member in members]
    exact = {member for member in bare_members if member in (type(None), bool, int, float)}
    if str in bare_members and not any(_reads_text(member) for member in bare_members[: bare_members.index(str)]):
        exact.add(str)
    options = [decoder_for(member) for member in members]
    names = " or ".join("None" if member is type(None) else hints.shown(member) for member in bare_members)

    def decode(value: Any) -> Any:
        if type(value) in exact:
            return value
        problems = []
        for option in options:
            try:
                return option(value)
            except Mismatch as mismatch:
                problems.append(mismatch)
        deepest = max(problems, key=lambda mismatch: len(mismatch.path))
        if deepest.path:
            raise deepest
        raise Mismatch.expected(names, value)

    return decode


def _reads_text(member: Any) -> bool:
    return isinstance(member, type) and not issubclass(
        member, bool | int | float | list | dict | tuple | set | type(None)
    )


def _literal(choices: tuple[Any, ...]) -> Decoder:
    encoded = [(plain(choice), choice) for choice in choices]

    def decode(value: Any) -> Any:
        for text, choice in encoded:
            if type(text) is type(value) and text == value:
                return choice
        raise Mismatch(f"expected one of {', '.join(map(repr, choices))}, got {described(value)}")

    return decode


def _instance_of(kind: type) -> Decoder:
    def decode(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        raise Mismatch(f"cannot build {kind.__qualname__} from JSON; make it a dataclass or a pydantic model")

    return decode


def _deque(items: list[Any]) -> Any:
    return sys.modules["collections"].deque(items)


_CONTAINERS: Mapping[tuple[str, str], Callable[[type, tuple[Any, ...]], Decoder]] = {
    ("builtins", "list"): _sequence(lambda items: items),
    ("builtins", "set"): _sequence(set),
    ("builtins", "frozenset"): _sequence(frozenset),
    ("collections", "deque"): _sequence(_deque),
    ("builtins", "tuple"): _tuple,
    ("builtins", "dict"): _mapping(lambda mapping: mapping),
    # The abstract classes of collections.abc, most special first in every __mro__.
    ("collections", "Mapping"): _mapping(lambda mapping: mapping),
    ("collections", "Set"): _sequence(set),
    ("collections", "Iterable"): _sequence(lambda items: items),
}
