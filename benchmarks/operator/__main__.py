"""`python -m benchmarks.operator`: thousands of runs for the operator and for the Job controller, in turns."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys

from benchmarks.operator import claims, contenders, planes, reports, restarts
from benchmarks.operator.claims import Size
from benchmarks.operator.contenders import CONTENDERS
from benchmarks.operator.reports import Found
from benchmarks.processes import BenchmarkError
from benchmarks.rounds import stoppable

DESCRIPTION = (
    "Measure skerry-operator beside Kubernetes' Job controller, each on a control plane of its own whose nodes only pretend. "
    "Loads and a restart, unless --only names a part; claims have to be named. "
    "No cluster is needed, only its programs: tests/cluster/build " + " ".join(planes.PROGRAMS)
)
RUNS = {"loads": 1000, "restart": 1000, "claims": 10_000}
QUICK_RUNS = 200


def main() -> int:
    """Measure, and print tables or JSON; 1 if something could not be measured."""
    parser = argparse.ArgumentParser("python -m benchmarks.operator", description=DESCRIPTION)
    parser.add_argument(
        "--runs", type=int, help="TaskRuns or Jobs of a load (default 1000); Pods of claims in the end (default 10000)"
    )
    parser.add_argument("--rounds", type=int, default=3, help="loads of each kind (default %(default)s)")
    parser.add_argument("--rate", type=float, default=300, help="asked for a second (default %(default)s)")
    parser.add_argument(
        "--only",
        choices=tuple(RUNS),
        help="leave out the others; claims (of Pods that wait, while others run) take about a quarter of an hour",
    )
    parser.add_argument("--nodes", type=int, default=200, help="claims: nodes (default %(default)s)")
    parser.add_argument("--pools", type=int, default=10, help="claims: pools whose Pods wait (default %(default)s)")
    parser.add_argument(
        "--steady-rate", type=float, default=20, help="claims: a second, where they are steady (default %(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_RUNS} runs, one round: does everything work?")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON instead of tables")
    options = parser.parse_args()
    options.parts = [options.only] if options.only else ["loads", "restart"]
    options.runs = options.runs or RUNS[options.parts[0]]
    if options.quick:
        options.runs, options.rounds = QUICK_RUNS, 1
    try:
        found = Found(options.runs, _conditions(options))
        with stoppable():
            _measure(found, options)
    except BenchmarkError as problem:
        parser.error(str(problem))
    if options.json:
        print(json.dumps(found.json(), indent=2))
    else:
        reports.show(found)
    return int(found.problem is not None)


def _measure(found: Found, options: argparse.Namespace) -> None:
    try:
        for number in range(options.rounds if "loads" in options.parts else 0):
            for contender in CONTENDERS:
                _say(f"round {number + 1} of {options.rounds}: {contender.name}")
                found.rounds[contender.name].append(contenders.measured(contender, options.runs, options.rate))
        if "restart" in options.parts:
            _say("restart")
            found.restart = restarts.measured(options.runs, options.rate)
        if "claims" in options.parts:
            _claims(found, Size(options.runs, options.nodes, options.pools, options.rate, options.steady_rate))
    except BenchmarkError as problem:
        _say(problem.detail or str(problem))
        found.problem = str(problem)


def _claims(found: Found, size: Size) -> None:
    for contender in CONTENDERS:
        _say(f"claims: {contender.name}")
        for stretch in claims.measured(contender, size):
            _say(f"  {stretch.name}: {stretch.asked} in {stretch.seconds:.0f} s")
            found.claims[contender.name].append(stretch)


def _conditions(options: argparse.Namespace) -> dict[str, str]:
    loads = f"at most {options.rate:g} asked for a second, Pods run for {contenders.RUN_SECONDS:g} s"
    steady = (
        f"{options.runs} Pods in the end on {options.nodes} nodes, {options.pools} pools, at most {options.rate:g} asked for"
        f" a second, and {options.steady_rate:g} where they are steady; Pods run on"
    )
    return {
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "python": f"Python {platform.python_version()}",
        "cluster": f"{planes.versions()}, etcd without fsync",
        "load": steady if "claims" in options.parts else loads,
        "load average": f"load average before {os.getloadavg()[0]:.2f}",
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
