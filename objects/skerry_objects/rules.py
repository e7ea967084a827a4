"""What types cannot say, said once: a rule for the API server, in the definitions, and the same check on this side.

Each is written beside a type, in `Annotated`; `crds` finds it in the JSON schema.
https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.config import JsonDict
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

VALIDATIONS: Final = "x-kubernetes-validations"


@dataclass(frozen=True, slots=True)
class Rule:
    """A CEL rule.

    Attributes:
        cel: true of `self`, and where it compares versions, of `oldSelf`.
        message: what is wrong, and what to do about it.
        holds: the same of a value; None where only the API server knows what was before.
    """

    cel: str
    message: str
    holds: Callable[[Any], bool] | None = None

    def check(self, value: Any) -> Any:
        """`value`, if the rule holds for it.

        Raises:
            ValueError: it does not.
        """
        if self.holds is not None and not self.holds(value):
            raise ValueError(self.message)
        return value

    def to_json(self) -> JsonDict:
        """As a definition has it."""
        return {"rule": self.cel, "message": self.message}

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        return schema if self.holds is None else core_schema.no_info_after_validator_function(self.check, schema)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        node = handler(schema)
        return {**node, VALIDATIONS: [*node.get(VALIDATIONS, ()), self.to_json()]}


IMMUTABLE: Final = Rule("self == oldSelf", "this cannot change; make another object instead")


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys that a part must have which is passed through otherwise: their descriptions, by name."""

    descriptions: Mapping[str, str]

    def check(self, part: dict[str, Any]) -> dict[str, Any]:
        """`part`, if it has them all.

        Raises:
            ValueError: one is missing, or has no text.
        """
        for key in self.descriptions:
            if not isinstance(part.get(key), str) or not part[key]:
                raise ValueError(f"{key} is missing: it must be a text that is not empty")
        return part

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        texts = {
            key: {"type": "string", "description": description, "minLength": 1}
            for key, description in self.descriptions.items()
        }
        return {**handler(schema), "properties": texts, "required": list(self.descriptions)}


@dataclass(frozen=True, slots=True)
class Unique:
    """A list in which one key tells entries apart, so that two writers can each own some of them."""

    key: str

    def check(self, entries: Sequence[Any]) -> Sequence[Any]:
        """`entries`, if each has another key.

        Raises:
            ValueError: two have the same.
        """
        seen = set()
        for entry in entries:
            name = entry[self.key] if isinstance(entry, Mapping) else getattr(entry, self.key)
            if name in seen:
                raise ValueError(f"{self.key} {name!r} is there twice")
            seen.add(name)
        return entries

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        listed = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [self.key]}
        return {**handler(schema), **listed}
