"""How many runs a second with 100 in flight, and where the time goes: `python -m benchmarks.throughput`.

Measures, for Skerry and each peer: runs that do nothing but read the clock, processor time per run of the client,
the control plane, the database and the workers, and their memory afterwards.
"""

import json
import statistics
import sys
from dataclasses import dataclass
from typing import Any

from benchmarks import conditions, options, rounds, tables, usages
from benchmarks.processes import BenchmarkError
from benchmarks.rounds import Record
from benchmarks.samples import summary
from benchmarks.systems import registry
from benchmarks.systems.definitions import Running

IN_FLIGHT = 100
WARM_UP_RUNS = 200
WARM_UP_SECONDS = 3.0
ANSWER_SECONDS = 180.0
PARTS = ("client", "control plane", "database", "workers")
RATE_COLUMNS = ("System", "Isolation\nKept in", "In flight", "runs/s\nmedian (range)", "to result\np50 / p99 ms")
COST_COLUMNS = (
    "System",
    *(f"{part}\nCPU ms/run" for part in PARTS),
    "all, CPU %\nof one core",
    "others,\nCPU %",
    *(f"{part}\nMiB" for part in PARTS[1:]),
)


@dataclass(frozen=True)
class Plan:
    """How much to measure of each system in one round."""

    runs: int
    seconds: float

    def measure(self, running: Running, record: Record) -> None:
        """Warm a started system up, then load it, adding to its record."""
        driver = running.driver
        load = {"measure": "burst", "in_flight": min(IN_FLIGHT, record.system.in_flight or IN_FLIGHT)}
        warm_up = {**load, "runs": min(WARM_UP_RUNS, self.runs), "seconds": WARM_UP_SECONDS}
        driver.measure(warm_up, ANSWER_SECONDS)
        watch = usages.Watch(running.parts)
        answer = driver.measure({**load, "runs": self.runs, "seconds": self.seconds}, ANSWER_SECONDS)
        answer |= watch.cost().json()
        record.add("burst", answer)


def figures(record: Record) -> dict[str, Any]:
    """One system's figures: rates in runs a second, timings in milliseconds, memory in bytes of the last round."""
    answers = record.answers.get("burst", [])
    runs = sum(len(answer["to_result"]) for answer in answers)
    seconds = sum(answer["seconds"] for answer in answers)
    rates = [len(answer["to_result"]) / answer["seconds"] for answer in answers]
    parts = answers[-1]["usage"] if answers else {}
    spent = {part: sum(answer["spent"][part] for answer in answers) for part in parts}
    timings = summary(record.timings("burst", "to_result"))
    return {
        **record.as_json(),
        "in_flight": min(IN_FLIGHT, record.system.in_flight or IN_FLIGHT),
        "runs": runs,
        "runs_per_second": [round(rate, 1) for rate in rates],
        "runs_per_second_median": round(statistics.median(rates), 1) if rates else None,
        "to_result": timings and timings.json(),
        "cpu_ms_per_run": {part: round(spent[part] * 1000 / max(runs, 1), 3) for part in parts},
        "cpu_percent": round(sum(spent.values()) * 100 / seconds, 1) if answers else None,
        "others_cpu_percent": round(sum(each["others"] for each in answers) * 100 / seconds, 1) if answers else None,
        "memory_bytes": {part: usage["memory_bytes"] for part, usage in parts.items()},
        "resident_bytes": {part: usage["resident_bytes"] for part, usage in parts.items()},
    }


def rate_row(record: Record) -> list[str]:
    """One system's row of the first table."""
    found = figures(record)
    rates = found["runs_per_second"]
    spread = f" ({tables.figure(min(rates))} to {tables.figure(max(rates))})" if len(rates) > 1 else ""
    return [
        record.system.name,
        f"{record.system.isolation}\n{record.system.kept}",
        str(found["in_flight"]),
        tables.figure(found["runs_per_second_median"]) + spread,
        tables.pair(summary(record.timings("burst", "to_result"))),
    ]


def cost_row(record: Record) -> list[str]:
    """One system's row of the second table."""
    found = figures(record)
    cpu, memory = found["cpu_ms_per_run"], found["memory_bytes"]
    return [
        record.system.name,
        *(tables.figure(cpu.get(part)) for part in PARTS),
        tables.figure(found["cpu_percent"]),
        tables.figure(found["others_cpu_percent"]),
        *(tables.figure(memory[part] / usages.MEBIBYTE if part in memory else None) for part in PARTS[1:]),
    ]


def main() -> int:
    """Measure, and print a table or JSON; 1 if a system could not be measured."""
    parser = options.parser(
        "benchmarks.throughput", __doc__.splitlines()[0], 10_000, "most runs of each system a round"
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="longest load of a round (default %(default)s)")
    chosen = parser.parse_args()
    count = chosen.rounds or (1 if chosen.quick else 3)
    plan = Plan(chosen.runs, 2.0 if chosen.quick else chosen.seconds)
    try:
        systems = registry.chosen(chosen.peers)
    except BenchmarkError as problem:
        parser.error(str(problem))
    found = conditions.conditions(sorted({system.peer for system in systems if system.peer}))
    with rounds.stoppable():
        records = rounds.measured(systems, count, plan.measure)
    if chosen.json:
        print(json.dumps({"conditions": found, "systems": [figures(record) for record in records]}, indent=2))
    else:
        sheets = [
            tables.Sheet(
                f"Throughput, {count} round(s)", RATE_COLUMNS, [rate_row(record) for record in records], texts=2
            ),
            tables.Sheet("Where it goes", COST_COLUMNS, [cost_row(record) for record in records]),
        ]
        tables.show(sheets, records, conditions.sentence(found))
    return int(any(record.problem for record in records))


if __name__ == "__main__":
    sys.exit(main())
