"""Annotations to JSON Schema: what a form or another program needs to know to call a task."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args, get_origin

from skerry.serialization import hints
from skerry.serialization.encode import Unserializable, class_key, plain, to_json
from skerry.signatures import MISSING, Parameter

Schema = dict[str, Any]

_SCALARS: Mapping[tuple[str, str], Schema] = {
    ("builtins", "NoneType"): {"type": "null"},
    ("builtins", "bool"): {"type": "boolean"},
    ("builtins", "int"): {"type": "integer"},
    ("builtins", "float"): {"type": "number"},
    ("builtins", "str"): {"type": "string"},
    ("builtins", "bytes"): {"type": "string", "contentEncoding": "base64"},
    ("builtins", "bytearray"): {"type": "string", "contentEncoding": "base64"},
    ("datetime", "datetime"): {"type": "string", "format": "date-time"},
    ("datetime", "date"): {"type": "string", "format": "date"},
    ("datetime", "time"): {"type": "string", "format": "time"},
    ("datetime", "timedelta"): {"type": "string", "format": "duration"},
    ("uuid", "UUID"): {"type": "string", "format": "uuid"},
    ("decimal", "Decimal"): {"type": "string"},
    ("pathlib", "PurePath"): {"type": "string"},
}
_SETS = frozenset({"set", "frozenset", "Set"})


def schema_of_parameters(parameters: Iterable[Parameter]) -> Schema:
    """The JSON Schema of a task's arguments by name."""
    definitions: dict[str, Schema] = {}
    properties: dict[str, Schema] = {}
    required: list[str] = []
    extra: Any = False
    for parameter in parameters:
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            extra = _schema(parameter.hint, definitions) or True
        elif parameter.kind is not inspect.Parameter.VAR_POSITIONAL:
            properties[parameter.name] = _with_default(_schema(parameter.hint, definitions), parameter.default)
            if parameter.default is MISSING:
                required.append(parameter.name)
    schema: Schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": extra}
    return {**schema, "$defs": definitions} if definitions else schema


def _with_default(schema: Schema, default: Any) -> Schema:
    if default is MISSING:
        return schema
    try:
        return {**schema, "default": json.loads(to_json(default))}
    except Unserializable:
        return schema


def _schema(annotation: Any, definitions: dict[str, Schema]) -> Schema:
    hint = hints.bare(annotation)
    members = hints.union_members(hint)
    if members is not None:
        return {"anyOf": [_schema(member, definitions) for member in members]}
    origin, arguments = get_origin(hint) or hint, get_args(hint)
    if origin is Literal:
        return {"enum": [plain(choice) for choice in arguments]}
    if not isinstance(origin, type) or origin is object:
        return {}
    if _is_structure(origin):
        return _reference(hint, origin, arguments, definitions)
    return _by_class(origin, arguments, definitions)


def _is_structure(kind: type) -> bool:
    checks = (hints.is_model, hints.is_typed_dict, hints.is_named_tuple)
    return hasattr(kind, "__dataclass_fields__") or any(check(kind) for check in checks)


def _reference(hint: Any, kind: Any, arguments: tuple[Any, ...], definitions: dict[str, Schema]) -> Schema:
    """Structures live in `$defs`, so that they can mention themselves."""
    name = hints.shown(hint).rpartition(".")[2]
    if name not in definitions:
        definitions[name] = {}
        definitions[name].update(_structure(kind, arguments, definitions))
    return {"$ref": f"#/$defs/{name}"}


def _structure(kind: Any, arguments: tuple[Any, ...], definitions: dict[str, Schema]) -> Schema:
    if hints.is_model(kind):
        schema: Schema = kind.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(schema.pop("$defs", {}))
        return schema
    types = hints.field_hints(kind, arguments)
    fields = {name: _schema(types.get(name, Any), definitions) for name in _field_names(kind, types)}
    if hints.is_named_tuple(kind):
        return {"type": "array", "prefixItems": list(fields.values()), "maxItems": len(fields)}
    strict = {} if hints.is_typed_dict(kind) else {"additionalProperties": False}
    return {"type": "object", "title": kind.__name__, "properties": fields, "required": _required(kind), **strict}


def _field_names(kind: Any, types: Mapping[str, Any]) -> list[str]:
    if hints.is_typed_dict(kind):
        return list(types)
    if hints.is_named_tuple(kind):
        return list(kind._fields)
    return [name for name, field in kind.__dataclass_fields__.items() if field.init]


def _required(kind: Any) -> list[str]:
    if hints.is_typed_dict(kind):
        return hints.required_keys(kind)
    from dataclasses import MISSING as NO_DEFAULT

    fields = kind.__dataclass_fields__.items()
    return [name for name, f in fields if f.init and f.default is NO_DEFAULT and f.default_factory is NO_DEFAULT]


def _by_class(kind: Any, arguments: tuple[Any, ...], definitions: dict[str, Schema]) -> Schema:
    for klass in kind.__mro__:
        module, name = key = class_key(klass)
        if key == ("enum", "Enum"):
            return {"enum": [plain(member.value) for member in kind]}
        if key in _SCALARS:
            return dict(_SCALARS[key])
        if name == "tuple" and arguments and arguments[-1] is not Ellipsis:
            items = [_schema(argument, definitions) for argument in arguments if argument != ()]
            return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
        if module in ("builtins", "collections") and name in ("dict", "Mapping"):
            values = _schema(arguments[-1], definitions) if arguments else {}
            return {"type": "object", **({"additionalProperties": values} if values else {})}
        if module in ("builtins", "collections") and name in ("list", "tuple", "deque", "Iterable", *_SETS):
            items_schema = _schema(arguments[0], definitions) if arguments else {}
            unique = {"uniqueItems": True} if name in _SETS else {}
            return {"type": "array", **({"items": items_schema} if items_schema else {}), **unique}
    return {}
