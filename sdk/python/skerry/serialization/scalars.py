"""JSON scalars to numbers, text, enums, dates and the like."""

from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping
from typing import Any

from skerry.serialization.encode import plain
from skerry.serialization.mismatches import Decoder, Mismatch, described


def _exactly(kind: type) -> Decoder:
    def decode(value: Any) -> Any:
        if type(value) is kind:
            return value
        raise Mismatch.expected(kind.__name__, value)

    return decode


def _int(kind: type) -> Decoder:
    def decode(value: Any) -> Any:
        if type(value) is int:
            return value if kind is int else kind(value)
        if type(value) is float and value.is_integer():
            return kind(value)
        raise Mismatch.expected("int", value)

    return decode


def _float(kind: type) -> Decoder:
    def decode(value: Any) -> Any:
        if type(value) is float or type(value) is int:
            return kind(value)
        raise Mismatch.expected("float", value)

    return decode


def _str(kind: type) -> Decoder:
    return _exactly(str) if kind is str else _text(kind, kind)


def _text(kind: type, build: Callable[[str], Any]) -> Decoder:
    def decode(value: Any) -> Any:
        if type(value) is not str:
            raise Mismatch.expected(kind.__name__, value)
        try:
            return build(value)
        except (ValueError, ArithmeticError):
            raise Mismatch.expected(kind.__name__, value) from None

    return decode


def _bytes(kind: type) -> Decoder:
    def build(text: str) -> Any:
        try:
            return kind(binascii.a2b_base64(text, strict_mode=True))
        except binascii.Error:
            raise Mismatch(f"expected base64 of bytes, got {described(text)}") from None

    return _text(kind, build)


def _from_iso(kind: Any) -> Decoder:
    return _text(kind, kind.fromisoformat)


def _timedelta(kind: type) -> Decoder:
    def build(text: str) -> Any:
        sign, marker, digits = text.partition("PT")
        if not marker or sign not in ("", "-") or not digits.endswith("S"):
            raise ValueError(text)
        whole, _, fraction = digits[:-1].partition(".")
        span = kind(seconds=int(whole), microseconds=int((fraction + "000000")[:6]))
        return -span if sign else span

    return _text(kind, build)


def _enum(kind: Any) -> Decoder:
    def decode(value: Any) -> Any:
        try:
            return kind(value)
        except (ValueError, TypeError):
            for member in kind:
                if plain(member.value) == value:
                    return member
            choices = ", ".join(repr(plain(member.value)) for member in kind)
            raise Mismatch(f"expected one of {choices}, got {described(value)}") from None

    return decode


def _none(kind: type) -> Decoder:
    return _exactly(type(None))


# By class name, like the table of `encode`.
SCALARS: Mapping[tuple[str, str], Callable[[Any], Decoder]] = {
    ("enum", "Enum"): _enum,
    ("builtins", "NoneType"): _none,
    ("builtins", "bool"): _exactly,
    ("builtins", "int"): _int,
    ("builtins", "float"): _float,
    ("builtins", "str"): _str,
    ("builtins", "bytes"): _bytes,
    ("builtins", "bytearray"): _bytes,
    ("datetime", "datetime"): _from_iso,
    ("datetime", "date"): _from_iso,
    ("datetime", "time"): _from_iso,
    ("datetime", "timedelta"): _timedelta,
    ("uuid", "UUID"): lambda kind: _text(kind, kind),
    ("decimal", "Decimal"): lambda kind: _text(kind, kind),
    ("pathlib", "PurePath"): lambda kind: _text(kind, kind),
}
