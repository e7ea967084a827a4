"""An ETL job: read a CSV file, check its rows in parallel chunks, and report turnover by region and month."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path

from skerry import NonRetryable, Retry, Workflows

app = Workflows(default_plan="starter", default_retry=Retry(max_retries=2, wait_duration_ms=500))

DATA = Path(__file__).parent
REGIONS = {"north", "east", "south", "west"}


@dataclass(frozen=True)
class Chunk:
    """Some rows of the file; `first_line` is where they start in it."""

    first_line: int
    rows: list[dict[str, str]]


@dataclass(frozen=True)
class Order:
    order_id: str
    line: int
    month: str
    region: str
    cents: int


@dataclass(frozen=True)
class Rejection:
    line: int
    reason: str


@dataclass(frozen=True)
class Checked:
    orders: list[Order]
    rejections: list[Rejection]


@dataclass(frozen=True)
class Report:
    orders: int
    cents: int
    cents_by_region: dict[str, int]
    cents_by_month: dict[str, int]
    rejections: list[Rejection]


@app.task(timeout_seconds=300)
async def run_etl(source: str = "orders.csv", chunk_rows: int = 40) -> Report:
    """Check every row of a file and sum up the good ones."""
    chunks = await extract(source, chunk_rows)
    checked = await validate.map(chunks)
    return await aggregate(checked)


@app.task(timeout_seconds=60)
async def extract(source: str, chunk_rows: int) -> list[Chunk]:
    """Read a file of this example's folder and cut it into chunks."""
    chunks = chunks_of(DATA / Path(source).name, chunk_rows)
    print(f"{source}: {sum(len(chunk.rows) for chunk in chunks)} rows in {len(chunks)} chunks")
    return chunks


@app.task(timeout_seconds=60)
async def validate(chunk: Chunk) -> Checked:
    """Turn rows into orders; a row that cannot be one is kept with its reason."""
    checked = Checked([], [])
    for line, row in enumerate(chunk.rows, start=chunk.first_line):
        try:
            checked.orders.append(order_from(row, line))
        except ValueError as error:
            checked.rejections.append(Rejection(line, str(error)))
    return checked


@app.task(timeout_seconds=60)
async def aggregate(checked: list[Checked]) -> Report:
    """Sum up what all chunks found; an order that comes twice counts once."""
    orders: dict[str, Order] = {}
    rejections = [rejection for part in checked for rejection in part.rejections]
    for order in (order for part in checked for order in part.orders):
        first = orders.setdefault(order.order_id, order)
        if first is not order:
            rejections.append(Rejection(order.line, f"order {order.order_id} is already on line {first.line}"))
    by_region: Counter[str] = Counter()
    by_month: Counter[str] = Counter()
    for order in orders.values():
        by_region[order.region] += order.cents
        by_month[order.month] += order.cents
    rejections.sort(key=lambda rejection: rejection.line)
    return Report(
        len(orders), by_region.total(), dict(sorted(by_region.items())), dict(sorted(by_month.items())), rejections
    )


def chunks_of(path: Path, chunk_rows: int) -> list[Chunk]:
    """Cut a file with a header line into chunks."""
    if not path.exists():
        raise NonRetryable(f"there is no file {path.name!r} here; try 'orders.csv'")
    chunks: list[Chunk] = []
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        while rows := list(islice(reader, chunk_rows)):
            chunks.append(Chunk(first_line=2 + chunk_rows * len(chunks), rows=rows))
    return chunks


def order_from(row: dict[str, str], line: int) -> Order:
    """Check one row.

    Raises:
        ValueError: With what is wrong, in words for the person who maintains the file.
    """
    if not row["order_id"]:
        raise ValueError("order_id is empty")
    if row["region"] not in REGIONS:
        raise ValueError(f"region {row['region']!r} is none of {', '.join(sorted(REGIONS))}")
    quantity, cents = int(_number(row, "quantity")), round(_number(row, "unit_price") * 100)
    day = date.fromisoformat(row["day"])
    return Order(row["order_id"], line, f"{day:%Y-%m}", row["region"], quantity * cents)


def _number(row: dict[str, str], column: str) -> float:
    try:
        number = float(row[column])
    except ValueError:
        raise ValueError(f"{column} {row[column]!r} is not a number") from None
    if number <= 0:
        raise ValueError(f"{column} must be more than zero, not {row[column]}")
    return number
