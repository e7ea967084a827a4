"""Annotations, resolved and taken apart."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints


def hints_of(subject: Any) -> Mapping[str, Any]:
    """The annotations of a function or class, evaluated.

    What cannot be evaluated (a name imported only for type checkers) is Any.
    """
    try:
        return get_type_hints(subject, include_extras=True)
    except Exception:
        return _hints_one_by_one(subject)


def _hints_one_by_one(subject: Any) -> Mapping[str, Any]:
    # get_type_hints refuses all annotations for one that cannot be evaluated, whatever exception that one raises.
    names: dict[str, Any] = {}
    for owner in reversed(getattr(subject, "__mro__", (subject,))):
        scope = getattr(owner, "__globals__", None) or vars(sys.modules.get(owner.__module__, types))
        for name, annotation in inspect.get_annotations(owner).items():
            carrier = types.SimpleNamespace(__annotations__={name: annotation})
            try:
                names[name] = get_type_hints(carrier, globalns=scope, include_extras=True)[name]
            except Exception:
                names[name] = Any
    return names


def bare(hint: Any) -> Any:
    """`hint` without wrappers that say nothing about its JSON form: Annotated, Required, NewType, aliases, type variables."""
    while True:
        origin = get_origin(hint)
        if origin is Annotated or getattr(origin, "_name", "") in {
            "Required",
            "NotRequired",
            "ReadOnly",
            "Final",
            "ClassVar",
        }:
            hint = get_args(hint)[0]
        elif hasattr(hint, "__supertype__"):
            hint = hint.__supertype__
        elif type(hint).__name__ == "TypeAliasType":
            hint = hint.__value__
        elif isinstance(hint, TypeVar):
            hint = hint.__bound__ or Any
        elif type(hint).__name__ == "InitVar":
            hint = hint.type
        else:
            return type(None) if hint is None else hint


def union_members(hint: Any) -> tuple[Any, ...] | None:
    """The members of `X | Y` or `Optional[X]`, None for anything else."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else None


def is_typed_dict(hint: Any) -> bool:
    """Whether `hint` is a TypedDict class."""
    return isinstance(hint, type) and issubclass(hint, dict) and hasattr(hint, "__total__")


def required_keys(kind: Any) -> list[str]:
    """The keys a TypedDict must have. The class itself does not know when its annotations are text."""
    keys = []
    for name, hint in hints_of(kind).items():
        wrapper = getattr(get_origin(hint), "_name", "")
        if wrapper == "Required" or (wrapper != "NotRequired" and name in kind.__required_keys__):
            keys.append(name)
    return keys


def is_named_tuple(hint: Any) -> bool:
    """Whether `hint` is a NamedTuple class."""
    return isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields")


def is_model(hint: Any) -> bool:
    """Whether `hint` is a pydantic model class; asks the class, so that pydantic need not be installed."""
    return isinstance(hint, type) and hasattr(hint, "__pydantic_validator__") and hasattr(hint, "model_validate_json")


def field_hints(kind: Any, arguments: tuple[Any, ...]) -> Mapping[str, Any]:
    """The annotations of a dataclass, TypedDict or NamedTuple, with the type `arguments` of a generic filled in."""
    hints = hints_of(kind)
    variables = getattr(kind, "__parameters__", ())
    if not arguments or not variables:
        return hints
    filled = dict(zip(variables, arguments, strict=False))
    return {name: _fill(hint, filled) for name, hint in hints.items()}


def _fill(hint: Any, filled: Mapping[Any, Any]) -> Any:
    if isinstance(hint, TypeVar):
        return filled.get(hint, hint)
    open_variables = getattr(hint, "__parameters__", ())
    if not open_variables or isinstance(hint, type):
        return hint
    return hint[tuple(filled.get(variable, Any) for variable in open_variables)]


def shown(hint: Any) -> str:
    """`hint` as registration and messages spell it: `int`, `list[str]`, `Plan | None`."""
    if isinstance(hint, type) and get_origin(hint) is None:
        return hint.__name__
    return str(hint).replace("typing.", "")
