"""JSON objects nobody annotated: they read like an object and like a dict."""

from __future__ import annotations

from typing import Any


class Record(dict[str, Any]):
    """A JSON object without a declared type: `plan["sandbox_id"]` and `plan.sandbox_id` are the same."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            known = ", ".join(self) or "no fields"
            raise AttributeError(f"this record has no field {name!r}; it has: {known}") from None


def as_records(value: Any) -> Any:
    """`value` as decoded from JSON, with every object in it turned into a `Record`."""
    if type(value) is dict:
        return Record((key, as_records(item)) for key, item in value.items())
    if type(value) is list:
        return [as_records(item) for item in value]
    return value
