"""`python -m benchmarks.operator`: thousands of runs for the operator and for the Job controller, in turns."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys

from benchmarks.operator import contenders, planes, reports, restarts
from benchmarks.operator.contenders import CONTENDERS
from benchmarks.operator.reports import Found
from benchmarks.processes import BenchmarkError
from benchmarks.rounds import stoppable

DESCRIPTION = (
    "Measure skerry-operator beside Kubernetes' Job controller, each on a control plane of its own whose nodes only pretend. "
    "No cluster is needed, only its programs: tests/cluster/build " + " ".join(planes.PROGRAMS)
)


def main() -> int:
    """Measure, and print tables or JSON; 1 if something could not be measured."""
    parser = argparse.ArgumentParser("python -m benchmarks.operator", description=DESCRIPTION)
    parser.add_argument("--runs", type=int, default=1000, help="TaskRuns or Jobs of a load (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="loads of each kind (default %(default)s)")
    parser.add_argument("--rate", type=float, default=300, help="asked for a second (default %(default)s)")
    parser.add_argument("--only", choices=("loads", "restart"), help="leave out the other")
    parser.add_argument("--quick", action="store_true", help="200 runs, one round: does everything work?")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON instead of tables")
    options = parser.parse_args()
    if options.quick:
        options.runs, options.rounds = 200, 1
    try:
        found = Found(options.runs, _conditions(options.rate))
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
        for number in range(options.rounds if options.only != "restart" else 0):
            for contender in CONTENDERS:
                _say(f"round {number + 1} of {options.rounds}: {contender.name}")
                found.rounds[contender.name].append(contenders.measured(contender, options.runs, options.rate))
        if options.only != "loads":
            _say("restart")
            found.restart = restarts.measured(options.runs, options.rate)
    except BenchmarkError as problem:
        _say(problem.detail or str(problem))
        found.problem = str(problem)


def _conditions(rate: float) -> dict[str, str]:
    return {
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "python": f"Python {platform.python_version()}",
        "cluster": f"{planes.versions()}, etcd without fsync",
        "load": f"at most {rate:g} asked for a second, Pods run for {contenders.RUN_SECONDS:g} s",
        "load average": f"load average before {os.getloadavg()[0]:.2f}",
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
