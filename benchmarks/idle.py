"""What a server costs that has nothing to do: `python -m benchmarks.idle`.

Starts Skerry with its tasks registered, lets it come to rest, and reads processor time, transactions and memory over
a while in which nothing is triggered; then has PostgreSQL log every statement for a shorter while and counts them.
"""

import argparse
import json
import re
import sys
import time
from collections import Counter
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks import conditions, rounds, tables, usages
from benchmarks.processes import BenchmarkError
from benchmarks.stages import Stage
from benchmarks.systems.skerry import servers
from benchmarks.systems.skerry.servers import Server

SETTLE_SECONDS = 10.0
STATEMENT_SECONDS = 10.0
STATEMENTS_SHOWN = 5
FLUSH_SECONDS = 1.0  # how long PostgreSQL keeps counters to itself before it shows them
TRANSACTIONS = "SELECT sum(xact_commit + xact_rollback)::bigint FROM pg_stat_database"
LOGGED = re.compile(r"LOG:  (?:statement|execute [^:]*): (?P<statement>[^\n]*(?:\n\t[^\n]*)*)")


def quiet_figures(server: Server, seconds: float) -> dict[str, Any]:
    """Processor time, transactions and memory while nothing happens.

    Args:
        server: At rest.
        seconds: How long to watch it.
    """
    transactions, watch, begun = _transactions(server), usages.Watch(server.parts), time.monotonic()
    time.sleep(seconds)
    cost, elapsed = watch.cost(), time.monotonic() - begun
    return {
        "seconds": round(elapsed, 1),
        "cpu_percent": {part: round(spent * 100 / elapsed, 2) for part, spent in cost.spent.items()},
        "others_cpu_percent": round(cost.others * 100 / elapsed, 1),
        "transactions_per_second": round((_transactions(server) - transactions) / elapsed, 2),
        "usage": cost.json()["usage"],
    }


def statement_figures(server: Server, seconds: float) -> dict[str, Any]:
    """How many statements a second reach PostgreSQL, and which are the most frequent."""
    _log_statements(server, "all")
    begun, already = time.monotonic(), server.database_log.stat().st_size
    time.sleep(seconds)
    with server.database_log.open("rb") as log:
        log.seek(already)
        text = log.read().decode(errors="replace")
    elapsed = time.monotonic() - begun
    _log_statements(server, "none")
    found = Counter(" ".join(match["statement"].split()) for match in LOGGED.finditer(text))
    return {
        "statements_per_second": round(found.total() / elapsed, 2),
        "most_frequent": [
            {"statement": statement, "per_second": round(count / elapsed, 2)}
            for statement, count in found.most_common(STATEMENTS_SHOWN)
        ],
    }


def _transactions(server: Server) -> int:
    time.sleep(FLUSH_SECONDS)
    with psycopg.connect(server.database_url, autocommit=True, connect_timeout=10) as connection:
        row = connection.execute(TRANSACTIONS).fetchone()
    return int(row[0]) if row else 0


def _log_statements(server: Server, which: str) -> None:
    with psycopg.connect(server.database_url, autocommit=True, connect_timeout=10) as connection:
        connection.execute(f"ALTER SYSTEM SET log_statement = '{which}'")
        connection.execute("SELECT pg_reload_conf()")
    time.sleep(FLUSH_SECONDS)


def show(found: dict[str, Any]) -> None:
    """Print the figures."""
    console = Console()
    table = Table(title=f"Skerry, idle for {found['seconds']} s", title_justify="left")
    for column in ("Part", "CPU %", "resident MiB", "memory MiB", "processes"):
        table.add_column(column, justify="left" if column == "Part" else "right")
    for part, usage in found["usage"].items():
        table.add_row(
            part,
            f"{found['cpu_percent'][part]:.2f}",
            tables.figure(usage["resident_bytes"] / usages.MEBIBYTE),
            tables.figure(usage["memory_bytes"] / usages.MEBIBYTE),
            str(usage["processes"]),
        )
    console.print(table)
    console.print(
        f"{found['statements_per_second']} statements/s, {found['transactions_per_second']} transactions/s",
        highlight=False,
    )
    for each in found["most_frequent"]:
        console.print(
            f"  {each['per_second']:6.2f}/s  {each['statement']}",
            markup=False,
            highlight=False,
            no_wrap=True,
            overflow="ellipsis",
        )
    console.print(conditions.sentence(found["conditions"]), markup=False, highlight=False, style="dim")


def main() -> int:
    """Measure, and print a table or JSON; 1 if Skerry could not be measured."""
    parser = argparse.ArgumentParser("python -m benchmarks.idle", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the figures as JSON instead of a table")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long to watch it (default %(default)s)")
    parser.add_argument("--isolation", default="process", choices=("process", "worker"), help="(default %(default)s)")
    chosen = parser.parse_args()
    found: dict[str, Any] = {"conditions": conditions.conditions([])}
    try:
        with rounds.stoppable(), Stage() as stage:
            server = servers.started(stage, chosen.isolation)
            time.sleep(SETTLE_SECONDS)
            found |= quiet_figures(server, chosen.seconds)
            found |= statement_figures(server, min(STATEMENT_SECONDS, chosen.seconds))
    except BenchmarkError as problem:
        print(problem.detail or problem, file=sys.stderr)
        print(f"Skerry could not be measured: {problem}", file=sys.stderr)
        return 1
    print(json.dumps(found, indent=2)) if chosen.json else show(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
