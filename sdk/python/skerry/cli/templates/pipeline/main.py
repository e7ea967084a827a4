"""A data pipeline: read several sources in parallel, clean every batch in a run of its own, add up the totals."""

import asyncio
import random
from typing import TypedDict

from skerry import Retry, Workflows

app = Workflows()

SOURCES = {"web": 120, "shop": 80, "phone": 40}
"""Where orders come from, and how many each source has."""


class Order(TypedDict):
    """One order, as a source reports it."""

    source: str
    customer: str
    amount: float


class Totals(TypedDict):
    """What a source sold."""

    orders: int
    amount: float


@app.task(retry=Retry(max_retries=3, wait_duration_ms=500, backoff_scaling=2), timeout_seconds=60)
async def read_source(source: str) -> list[Order]:
    """Read one source. It fails now and then, as real sources do, and is retried."""
    await asyncio.sleep(0.3)
    if random.random() < 0.2:
        raise ConnectionError(f"{source} did not answer")
    numbers = random.Random(source)
    orders: list[Order] = [
        {"source": source, "customer": f"c{numbers.randrange(30)}", "amount": round(numbers.uniform(-5, 100), 2)}
        for _ in range(SOURCES[source])
    ]
    print(f"read {len(orders)} orders from {source}")
    return orders


@app.task
async def clean(orders: list[Order]) -> list[Order]:
    """Drop the orders that cannot be right."""
    kept = [order for order in orders if order["amount"] > 0]
    print(f"kept {len(kept)} of {len(orders)} orders")
    return kept


@app.task
async def add_up(batches: list[list[Order]]) -> dict[str, Totals]:
    """Return the number of orders and their sum for every source."""
    totals: dict[str, Totals] = {}
    for order in (order for batch in batches for order in batch):
        total = totals.setdefault(order["source"], {"orders": 0, "amount": 0})
        total["orders"] += 1
        total["amount"] = round(total["amount"] + order["amount"], 2)
    return totals


@app.task(timeout_seconds=600)
async def report(batch_size: int = 50) -> dict[str, Totals]:
    """Run the whole pipeline: fan out, clean, aggregate."""
    sources = await asyncio.gather(*(read_source(source) for source in SOURCES))
    batches = [orders[start : start + batch_size] for orders in sources for start in range(0, len(orders), batch_size)]
    cleaned = await asyncio.gather(*(clean(batch) for batch in batches))
    return await add_up(list(cleaned))
