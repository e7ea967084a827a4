"""A task's parameters and result: what may be sent, and how it is rebuilt on the other side."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from skerry.errors import InvalidInput, SerializationError
from skerry.serialization.decode import decoder_for
from skerry.serialization.encode import Unserializable, serialization_error, to_json
from skerry.serialization.hints import hints_of
from skerry.serialization.mismatches import Decoder, Mismatch

MISSING: Final = inspect.Parameter.empty
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Parameter:
    """One parameter of a task: its name, annotation (`MISSING` if none), default (`MISSING` if none) and decoder."""

    __slots__ = ("decode", "default", "hint", "kind", "name")

    def __init__(self, name: str, kind: Any, default: Any, hint: Any) -> None:
        """Compile the decoder of `hint`."""
        self.name = name
        self.kind = kind
        self.default = default
        self.hint = hint
        self.decode: Decoder = decoder_for(Any if hint is MISSING else hint)


class Signature:
    """The parameters of the task `task`, without its context parameter, and its result."""

    __slots__ = (
        "_by_name",
        "_decode_result",
        "_positional",
        "_required",
        "_var_keyword",
        "_var_positional",
        "parameters",
        "task",
    )

    def __init__(self, task: str, function: Callable[..., Any], takes_context: bool) -> None:
        """Inspect `function` once; using the signature afterwards needs no inspection."""
        hints = hints_of(function)
        found = list(inspect.signature(function).parameters.values())[1 if takes_context else 0 :]
        self.task = task
        self.parameters = [
            Parameter(item.name, item.kind, item.default, hints.get(item.name, MISSING)) for item in found
        ]
        self._positional = [item for item in self.parameters if item.kind in _POSITIONAL]
        self._var_positional = self._only(inspect.Parameter.VAR_POSITIONAL)
        self._var_keyword = self._only(inspect.Parameter.VAR_KEYWORD)
        variadic = (self._var_positional, self._var_keyword)
        self._by_name = {
            item.name: item
            for item in self.parameters
            if item not in variadic and item.kind is not inspect.Parameter.POSITIONAL_ONLY
        }
        self._required = [item.name for item in self.parameters if item.default is MISSING and item not in variadic]
        self._decode_result = decoder_for(hints.get("return", Any))

    def _only(self, kind: Any) -> Parameter | None:
        return next((item for item in self.parameters if item.kind is kind), None)

    # Sending

    def encode_call(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bytes:
        """Arguments as JSON: a list if all can be given by position, else an object.

        Raises:
            InvalidInput: they do not fit the parameters.
            SerializationError: one of them has no JSON form.
        """
        self._check(len(args), kwargs)
        payload = self._payload(args, kwargs)
        try:
            return to_json(payload)
        except Unserializable:
            raise self._culprit(payload) from None

    def _payload(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any] | dict[str, Any]:
        if not kwargs:
            return list(args)
        if not args:
            return dict(kwargs)
        following = [item.name for item in self._positional[len(args) : len(args) + len(kwargs)]]
        if kwargs.keys() == set(following):
            return [*args, *(kwargs[name] for name in following)]
        leading = self._positional[: len(args)]
        if len(args) > len(leading) or any(item.name not in self._by_name for item in leading):
            raise InvalidInput(
                f"{self.task}(): positional-only or *args cannot be sent together with keyword arguments"
            )
        return {**{item.name: value for item, value in zip(leading, args, strict=True)}, **kwargs}

    def _culprit(self, payload: list[Any] | dict[str, Any]) -> SerializationError:
        places = payload.items() if isinstance(payload, dict) else ((self._place(i), v) for i, v in enumerate(payload))
        for name, value in places:
            try:
                to_json(value)
            except Unserializable as error:
                return serialization_error(self.task, name, error)
        return SerializationError(f"{self.task}(): the arguments contain themselves or are nested too deep")

    def _place(self, index: int) -> str:
        if index < len(self._positional):
            return self._positional[index].name
        name = self._var_positional.name if self._var_positional else "args"
        return f"{name}[{index - len(self._positional)}]"

    def encode_result(self, value: Any) -> bytes:
        """A result as the platform stores it: a list of one.

        Raises:
            SerializationError: it has no JSON form.
        """
        try:
            return to_json([value])
        except Unserializable as error:
            path = error.path.removeprefix("[0]")
            raise SerializationError(f"{self.task}() -> result{path}: {error.problem}") from None

    # Receiving

    def decode_call(self, payload: Any) -> tuple[list[Any], dict[str, Any]]:
        """Arguments from decoded JSON: a list or an object.

        Raises:
            InvalidInput: they do not fit the parameters; the message names the one.
        """
        if isinstance(payload, list):
            self._check(len(payload), {})
            return [self._decoded(self._at(i), self._place(i), value) for i, value in enumerate(payload)], {}
        if isinstance(payload, dict):
            self._check(0, payload)
            rest = self._var_keyword
            return [], {name: self._decoded(self._by_name.get(name, rest), name, v) for name, v in payload.items()}
        raise InvalidInput(f"{self.task}(): input must be a list or an object, got {type(payload).__name__}")

    def _at(self, index: int) -> Parameter | None:
        return self._positional[index] if index < len(self._positional) else self._var_positional

    def _decoded(self, parameter: Parameter | None, place: str, value: Any) -> Any:
        try:
            return value if parameter is None else parameter.decode(value)
        except Mismatch as mismatch:
            raise InvalidInput(f"{self.task}({place}{mismatch.place}): {mismatch.problem}") from None

    def decode_result(self, text: bytes) -> Any:
        """A result from its JSON text: ours is a list of one; other SDKs also send bare lists, or nothing for None.

        Raises:
            SerializationError: it does not fit the result's annotation.
        """
        return self.rebuild_result(unwrapped(json.loads(text) if text else None))

    def rebuild_result(self, value: Any) -> Any:
        """A result from decoded JSON.

        Raises:
            SerializationError: it does not fit the result's annotation.
        """
        try:
            return self._decode_result(value)
        except Mismatch as mismatch:
            raise SerializationError(f"{self.task}() -> result{mismatch.place}: {mismatch.problem}") from None

    # Both

    def _check(self, count: int, kwargs: Mapping[str, Any]) -> None:
        """Refuse a wrong number of positional arguments, and unknown, doubled or missing names."""
        taken = [item.name for item in self._positional]
        if count > len(taken) and self._var_positional is None:
            names = f" ({', '.join(taken)})" if taken else ""
            raise InvalidInput(f"{self.task}() takes at most {_count(len(taken))}{names}, got {count}")
        given = set(taken[:count])
        for name in kwargs:
            if name in given:
                raise InvalidInput(f"{self.task}(): argument {name!r} is given twice")
            if name not in self._by_name and self._var_keyword is None:
                names = ", ".join(self._by_name) or "none"
                raise InvalidInput(f"{self.task}() has no parameter {name!r}; it has: {names}")
        for name in self._required:
            if name not in given and name not in kwargs:
                raise InvalidInput(f"{self.task}(): argument {name!r} is missing")


def unwrapped(results: Any) -> Any:
    """The value in a stored result: the element of a list of one, else the whole."""
    return results[0] if isinstance(results, list) and len(results) == 1 else results


def _count(number: int) -> str:
    return "1 positional argument" if number == 1 else f"{number} positional arguments"
