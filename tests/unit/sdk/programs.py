"""Types and tasks that the SDK's tests share; module-level, so that annotations resolve as in a user's program."""

from __future__ import annotations

import datetime
import decimal
import enum
import pathlib
import uuid
from dataclasses import dataclass, field
from typing import Annotated, Generic, Literal, NamedTuple, NewType, NotRequired, TypedDict, TypeVar

from pydantic import BaseModel, ConfigDict

from skerry import TaskContext, Workflows, context

T = TypeVar("T")
UserId = NewType("UserId", str)


class Colour(enum.Enum):
    RED = "red"
    MIXED = (1, 2)


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Point(NamedTuple):
    x: int
    y: int = 0


class Options(TypedDict):
    depth: int
    note: NotRequired[str]


@dataclass
class File:
    name: str
    content: bytes = b""
    mode: int = 0o644


@dataclass
class Plan:
    title: str
    files: list[File] = field(default_factory=list)
    parent: Plan | None = None


@dataclass(frozen=True, slots=True)
class Box(Generic[T]):
    item: T


class Invoice(BaseModel):
    model_config = ConfigDict(strict=True)

    number: int
    due: datetime.date
    lines: tuple[str, ...] = ()


class Socket:
    """Nothing JSON can say."""


ROUND_TRIPS: list[tuple[object, object]] = [
    (None, None),
    (True, bool),
    (3, int),
    (2.5, float),
    ("grüße \U0001f600 \x00", str),
    (["a", "b"], list[str]),
    ((1, "a"), tuple[int, str]),
    ((1, 2, 3), tuple[int, ...]),
    ({"a", "b"}, set[str]),
    (frozenset({1}), frozenset[int]),
    ({1: "a", 2: "b"}, dict[int, str]),
    ({uuid.UUID(int=7): [Level.HIGH]}, dict[uuid.UUID, list[Level]]),
    ({Colour.RED: 1}, dict[Colour, int]),
    (Colour.RED, Colour),
    (Colour.MIXED, Colour),
    (Level.LOW, Level),
    (Point(1, 2), Point),
    ({"depth": 1, "note": "x"}, Options),
    (File("a.py", b"\x00\xff"), File),
    (Plan("p", [File("a")], parent=Plan("q")), Plan),
    (Box(File("a")), Box[File]),
    (Box([1, 2]), Box[list[int]]),
    (Invoice(number=1, due=datetime.date(2026, 1, 2), lines=("a",)), Invoice),
    (datetime.datetime(2026, 1, 2, 3, 4, 5, 6, datetime.UTC), datetime.datetime),
    (datetime.date(2026, 1, 2), datetime.date),
    (datetime.time(1, 2, 3), datetime.time),
    (datetime.timedelta(days=-1, microseconds=7), datetime.timedelta),
    (uuid.UUID(int=1), uuid.UUID),
    (decimal.Decimal("1.10"), decimal.Decimal),
    (pathlib.PurePosixPath("/a/b"), pathlib.PurePosixPath),
    (b"bytes", bytes),
    (None, int | None),
    (5, int | None),
    (5, float | int),
    ("x", int | str),
    (File("a"), Plan | File),
    (datetime.date(2026, 1, 2), datetime.date | str),
    ("fast", Literal["fast", "slow"]),
    (3, Annotated[int, "anything"]),
    ("u1", UserId),
    ({"a": {"b": [1]}}, dict[str, object]),
]

app = Workflows(name="shop")


@app.task
def square(x: int) -> int:
    """Multiply a number by itself."""
    return x * x


@app.task
async def double(x: int) -> int:
    return 2 * x


@app.task(name="sum-squares", timeout_seconds=60, plan="pro")
async def sum_squares(ctx: TaskContext, count: int, *, start: int = 0) -> int:
    assert context() is ctx
    squares: list[int] = await square.map(range(start, start + count), limit=2)  # type: ignore[misc]
    return sum(squares) + await square.submit(0) + int(await square(0))  # type: ignore[misc]


@app.task
async def generate(plan: Plan, model: str = "small", options: Options | None = None) -> Plan:
    return plan


@app.task
def untyped(plan):  # type: ignore[no-untyped-def]
    return plan
