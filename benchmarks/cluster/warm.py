"""`python -m benchmarks.cluster.warm`: Pods that wait for work, many runs in one Pod, and what waiting costs."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

from rich.console import Console

from benchmarks import conditions
from benchmarks.cluster import aims
from benchmarks.cluster.benches import bench
from benchmarks.cluster.sections import SECTIONS, restore
from benchmarks.connections import UnexpectedAnswerError
from benchmarks.tables import FILE_WIDTH
from tests.end_to_end.installations import Installation, installed

DESCRIPTION = (
    "Measure Pods that wait on the cluster that KUBECONFIG names (run it through tests/cluster/in-cluster-net). The chart is"
    " installed for it, and removed afterwards."
)
# A few of each: figures of these are noise.
QUICK = {
    "runs": 5,
    "cold": 2,
    "burst": 5,
    "rounds": 1,
    "hops": 3,
    "rate_runs": 100,
    "children": 20,
    "cold_burst": 10,
    "cold_rounds": 1,
    "pods": 2,
    "idle_minutes": 0.2,
}


def main() -> int:
    """Measure, and print a table or JSON; 1 if a part could not be measured."""
    options = _options()
    with installed(keep=options.keep) as installation:
        installation.deploy("faults", "faults")
        found = asyncio.run(_measure(installation, options))
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        _show(found)
    return int(any("problem" in figures for figures in found["sections"].values()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.cluster.warm", description=DESCRIPTION)
    parser.add_argument("--only", type=_chosen, default=list(SECTIONS), help=f"parts, of {','.join(SECTIONS)}")
    numbers = {
        "runs": (200, "latency: runs one after another in Pods that wait, and a tenth as many with pauses"),
        "cold": (10, "latency: runs one at a time in Pods of their own"),
        "burst": (50, "burst: runs at once, while as many Pods wait"),
        "rounds": (3, "burst: how often"),
        "hops": (60, "hop: parents with one child"),
        "rate-runs": (1000, "process: runs"),
        "in-flight": (32, "process: runs at once"),
        "capacity": (16, "process, fan-out: runs at once in one Pod"),
        "children": (500, "fan-out: children of one parent"),
        "cold-burst": (300, "cold-burst: runs at once, each in a Pod of its own"),
        "cold-rounds": (1, "cold-burst: how often"),
        "pods": (10, "memory: Pods that wait"),
        "idle-minutes": (10.0, "idle: how long to watch"),
    }
    for name, (value, text) in numbers.items():
        parser.add_argument(f"--{name}", type=type(value), default=value, help=f"{text} (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="a few of each, to see that everything works")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON instead of a table")
    parser.add_argument("--keep", action="store_true", help="leave Skerry installed, and take it as it is next time")
    options = parser.parse_args()
    if options.quick:
        vars(options).update(QUICK)
    return options


def _chosen(text: str) -> list[str]:
    names = text.split(",")
    unknown = set(names) - SECTIONS.keys()
    if unknown:
        raise argparse.ArgumentTypeError(f"no such part: {', '.join(sorted(unknown))}")
    return [name for name in SECTIONS if name in names]


async def _measure(installation: Installation, options: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = {"conditions": conditions.conditions([]), "sections": {}}
    progress = Console(stderr=True)
    async with bench(installation) as made:
        await made.task_pod()
        try:
            for name in options.only:
                progress.print(f"{name} …", style="dim")
                try:
                    found["sections"][name] = await SECTIONS[name](made, options)
                except (AssertionError, TimeoutError, UnexpectedAnswerError) as problem:
                    found["sections"][name] = {"problem": str(problem) or type(problem).__name__}
        finally:
            await restore(made)
    return found


def _show(found: dict[str, Any]) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=FILE_WIDTH)
    sections = found["sections"]
    console.print(aims.table(sections))
    burst = sections.get("burst", {})
    if burst.get("size", 0) < burst.get("wanted size", 0):
        console.print(f"There is room for bursts of {burst['size']}, not {burst['wanted size']}.", style="yellow")
    for words in aims.missed(sections):
        console.print(words, markup=False, style="yellow")
    console.print(conditions.sentence(found["conditions"]), markup=False, highlight=False, style="dim")


if __name__ == "__main__":
    sys.exit(main())
