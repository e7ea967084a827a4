"""How long one run takes, one at a time: `python -m benchmarks.latency`.

Measures, for Skerry and each peer: trigger to user code, trigger to result, a parent that awaits five children one
after another, and a parent that awaits 100 children together.
"""

import json
import sys
import time
from dataclasses import dataclass
from typing import Any

from benchmarks import conditions, options, rounds, tables, usages
from benchmarks.processes import BenchmarkError, DriverProcess
from benchmarks.rounds import Record
from benchmarks.samples import summary
from benchmarks.systems import registry
from benchmarks.systems.definitions import Running

HOPS = 5
CHILDREN = 100
WARM_UP_RUNS = 20
MEASURE_SECONDS = 15.0
ANSWER_SECONDS = 150.0
COLUMNS = (
    "System",
    "Isolation\nKept in",
    "to user code\np50 / p99 ms",
    "to result\np50 / p99 ms",
    f"{HOPS}-step chain\np50 / p99 ms",
    "per hop\np50 / p99 ms",
    f"fan-out {CHILDREN}\np50 s",
    "others,\nCPU %",
)


@dataclass(frozen=True)
class Plan:
    """How much to measure of each system in one round."""

    runs: int
    chains: int
    fans: int

    def measure(self, running: Running, record: Record) -> None:
        """Warm a started system up, then measure it, adding to its record."""
        driver = running.driver
        watch, begun = usages.Watch(running.parts), time.monotonic()
        _ask(driver, {"measure": "latency", "runs": min(WARM_UP_RUNS, self.runs)})
        record.add("latency", _ask(driver, {"measure": "latency", "runs": self.runs}))
        record.add("chain", _ask(driver, {"measure": "chain", "runs": self.chains, "hops": HOPS}))
        record.add("fan", _ask(driver, {"measure": "fan", "runs": self.fans, "children": CHILDREN}))
        record.add("others", {"seconds": time.monotonic() - begun, "cpu_seconds": watch.cost().others})


def _ask(driver: DriverProcess, request: dict[str, Any]) -> dict[str, Any]:
    return driver.measure({**request, "seconds": MEASURE_SECONDS}, ANSWER_SECONDS)


def figures(record: Record) -> dict[str, Any]:
    """One system's figures, timings in milliseconds."""
    found = {
        "to_code": summary(record.timings("latency", "to_code")),
        "to_result": summary(record.timings("latency", "to_result")),
        "chain": summary(record.timings("chain", "total")),
        "hop": summary(record.timings("chain", "hop")),
        "fan": summary(record.timings("fan", "total")),
    }
    others = {"others_cpu_percent": others_percent(record)}
    return {**record.as_json(), **{name: value and value.json() for name, value in found.items()}, **others}


def others_percent(record: Record) -> float | None:
    """Processor time of everything else on the machine while the system was measured, in percent of one core."""
    answers = record.answers.get("others", [])
    seconds = sum(answer["seconds"] for answer in answers)
    return round(sum(answer["cpu_seconds"] for answer in answers) * 100 / seconds, 1) if seconds else None


def row(record: Record) -> list[str]:
    """One system's row of the table."""
    pairs = [("latency", "to_code"), ("latency", "to_result"), ("chain", "total"), ("chain", "hop")]
    fans = summary(record.timings("fan", "total"))
    return [
        record.system.name,
        f"{record.system.isolation}\n{record.system.kept}",
        *(tables.pair(summary(record.timings(measurement, name))) for measurement, name in pairs),
        tables.figure(fans.p50 / 1000 if fans else None),
        tables.figure(others_percent(record)),
    ]


def main() -> int:
    """Measure, and print a table or JSON; 1 if a system could not be measured."""
    parser = options.parser(
        "benchmarks.latency", __doc__.splitlines()[0], 300, "runs one at a time of each system, over all rounds"
    )
    chosen = parser.parse_args()
    count = chosen.rounds or (1 if chosen.quick else 3)
    plan = Plan(20, 3, 1) if chosen.quick else Plan(max(1, chosen.runs // count), max(1, chosen.runs // count // 5), 5)
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
        title = f"Latency, one at a time, {count} round(s)"
        sheet = tables.Sheet(title, COLUMNS, [row(record) for record in records], texts=2)
        tables.show([sheet], records, conditions.sentence(found))
    return int(any(record.problem for record in records))


if __name__ == "__main__":
    sys.exit(main())
