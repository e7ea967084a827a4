"""`python -m benchmarks.cluster`: cold starts, a burst and memory, on a real cluster with the chart installed."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.cluster import bursts, footprints, starts
from benchmarks.cluster.benches import bench
from benchmarks.tables import FILE_WIDTH, figure
from tests.end_to_end.installations import Installation, installed

DESCRIPTION = (
    "Measure on the cluster that KUBECONFIG names (run it through tests/cluster/in-cluster-net). The chart is installed for it,"
    " and removed afterwards."
)


def main() -> None:
    """Measure, and print tables or JSON."""
    parser = argparse.ArgumentParser("python -m benchmarks.cluster", description=DESCRIPTION)
    parser.add_argument("--starts", type=int, default=30, help="cold starts of each kind (default %(default)s)")
    parser.add_argument("--burst", type=int, default=200, help="runs at once (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="bursts of each kind (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="a few of each, to see that everything works")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON instead of tables")
    parser.add_argument("--keep", action="store_true", help="leave Skerry installed, and take it as it is next time")
    options = parser.parse_args()
    if options.quick:
        options.starts, options.burst, options.rounds = 3, 10, 1
    with installed(keep=options.keep) as installation:
        installation.deploy("faults", "faults")
        found = asyncio.run(_measure(installation, options))
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        _show(found)


async def _measure(installation: Installation, options: argparse.Namespace) -> dict[str, Any]:
    async with bench(installation) as made:
        own, bare, barest = await starts.measure(made, options.starts)
        overhead, alone = await footprints.overhead(made)
        burst: dict[str, list[float]] = {"skerry": [], "bare": []}
        for number in range(options.rounds):
            burst["skerry"].append(options.burst / await bursts.runs(made, options.burst))
            burst["bare"].append(options.burst / await bursts.bare_pods(made, options.burst, f"burst-{number}"))
    rates = {kind: statistics.median(values) for kind, values in burst.items()}
    median = {
        name: {step: starts.milliseconds(found) for step, found in vars(steps).items()}
        for name, steps in (("skerry", own), ("bare", bare), ("barest", barest))
    }
    allowed = 1.15 * (median["bare"]["code"] or 0) + 150
    return {
        "starts": median,
        "cold start allowed ms": allowed,
        "cold start ratio": (median["skerry"]["code"] or 0) / (median["bare"]["code"] or 1),
        "burst": {"size": options.burst, **rates, "rounds": burst, "ratio": rates["skerry"] / rates["bare"]},
        "memory MiB": {
            "control plane, peak": footprints.peaks(installation.own, "control-plane"),
            "operator, peak": footprints.peaks(installation.own, "operator"),
            "Pod of a task": overhead,
            "the same application alone": alone,
        },
    }


def _show(found: dict[str, Any]) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=FILE_WIDTH)
    kinds = [found["starts"][kind] for kind in ("skerry", "bare", "barest")]
    table = Table(
        "ms after the request, median", "Skerry", "bare Pod", "without volume", title="Cold start", title_justify="left"
    )
    names = {
        "task_run": "TaskRun is there",
        "pod": "Pod is there",
        "scheduled": "it has a node",
        "connected": "the runner is connected",
        "code": "first line of the code",
    }
    for step, name in names.items():
        table.add_row(name, *(figure(kind[step]) for kind in kinds))
    console.print(table)
    allowed = figure(found["cold start allowed ms"])
    console.print(f"{found['cold start ratio']:.2f} x a bare Pod; aim: at most {allowed} ms (1.15 x + 150 ms)")
    burst = found["burst"]
    rates = f"{figure(burst['skerry'])} runs/s, {figure(burst['bare'])} bare Pods/s: {burst['ratio']:.2f} x"
    console.print(f"{burst['size']} at once: {rates}; aim: at least 0.9 x")
    memory = found["memory MiB"]
    for name, value in memory.items():
        shown = ", ".join(figure(each) for each in (value if isinstance(value, list) else [value]))
        console.print(f"{name}: {shown} MiB")


if __name__ == "__main__":
    main()
