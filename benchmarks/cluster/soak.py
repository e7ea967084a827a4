"""`python -m benchmarks.cluster.soak`: runs go on while everything around them fails, and are checked."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks.cluster import verdicts
from benchmarks.cluster.loads import KINDS, OVER, Load
from benchmarks.cluster.outages import Outages
from benchmarks.cluster.standbys import WORKFLOW
from benchmarks.cluster.verdicts import LOST
from benchmarks.tables import FILE_WIDTH
from skerry_objects.clients import Client
from skerry_objects.configurations import find_configuration
from tests.end_to_end.installations import Installation, installed

DESCRIPTION = (
    "Start runs on the cluster that KUBECONFIG names (run it through tests/cluster/in-cluster-net) while Pods of every part are"
    " deleted and runs are cancelled; then check them. The chart is installed for it, and removed afterwards."
)
WARM = {"min": 0, "max": 6, "idleSeconds": 600}
# Until the last run must be over: some wait for Pods of their own behind all others.
OVER_SECONDS = 240.0
# A line each time where there is no terminal.
REPORT_SECONDS = 30.0


def main() -> int:
    """Soak and check; 1 if anything was violated."""
    parser = argparse.ArgumentParser("python -m benchmarks.cluster.soak", description=DESCRIPTION)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long runs are started (default %(default)s)")
    parser.add_argument(
        "--rate", type=float, default=0.5, help="runs a second, children not counted (default %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, help="of what fails when, and of the mix of runs (default: another each time)"
    )
    parser.add_argument("--keep", action="store_true", help="leave Skerry installed, and take it as it is next time")
    options = parser.parse_args()
    seed = random.randrange(1_000_000) if options.seed is None else options.seed
    console = Console()
    if not console.is_terminal:
        console = Console(width=FILE_WIDTH)
    console.print(f"seed {seed}: {options.minutes:g} minutes, {options.rate:g} runs a second")
    with installed(keep=options.keep) as installation:
        installation.deploy(WORKFLOW, "faults")
        _say_warm(installation, WARM)
        try:
            violations = asyncio.run(_soak(installation, console, options, seed))
        finally:
            _say_warm(installation, None)
    for words in violations:
        console.print(words, style="red", markup=False)
    console.print(f"{len(violations)} violations" if violations else "nothing lost, nothing twice, nothing left over")
    return int(bool(violations))


def _say_warm(installation: Installation, policy: Mapping[str, int] | None) -> None:
    patch = json.dumps({"spec": {"warm": policy}})
    installation.tasks.kubectl("patch", "workflow", WORKFLOW, "--type", "merge", "--patch", patch)


async def _soak(installation: Installation, console: Console, options: argparse.Namespace, seed: int) -> list[str]:
    # What fails does not depend on how fast runs come, nor the mix of runs on what fails.
    load = Load(installation, f"soak-{seed}-{int(time.time())}", random.Random(seed))
    async with Client(find_configuration()) as client:
        outages = Outages(installation, client, load, random.Random(seed + 1))
        seconds = options.minutes * 60
        with _shown(console, seconds, load, outages):
            # So that Pods wait when things begin to go wrong.
            await asyncio.gather(*(load.start("quick") for _ in range(WARM["max"])))
            async with asyncio.TaskGroup() as group:
                group.create_task(load.steady(options.rate, seconds))
                group.create_task(outages.run(seconds))
        try:
            violations = await verdicts.until_over(load, OVER_SECONDS)
            violations += await verdicts.of_runs(load)
            violations += await asyncio.to_thread(verdicts.of_rest, installation)
            violations += await asyncio.to_thread(verdicts.of_record, installation, load)
        finally:
            await load.close()
    _show(console, load, outages)
    return violations


@contextlib.contextmanager
def _shown(console: Console, seconds: float, load: Load, outages: Outages) -> Iterator[None]:
    """Show how far the soak is, for as long as the block runs."""
    columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        shown = progress.add_task("", total=seconds)
        watch = asyncio.get_running_loop().create_task(_report(console, progress, shown, load, outages))
        try:
            yield
        finally:
            watch.cancel()


async def _report(console: Console, progress: Progress, shown: TaskID, load: Load, outages: Outages) -> None:
    began = time.monotonic()
    while True:
        elapsed = time.monotonic() - began
        accepted = sum(bool(promise.ids) for promise in load.promises)
        words = (
            f"{accepted} of {len(load.promises)} runs accepted, {outages.injected.total()} faults; last: {outages.last}"
        )
        progress.update(shown, completed=elapsed, description=words)
        if console.is_terminal:
            await asyncio.sleep(0.5)
        else:
            console.print(f"{elapsed:.0f} s: {words}")
            await asyncio.sleep(REPORT_SECONDS)


def _show(console: Console, load: Load, outages: Outages) -> None:
    faults = Table("fault", "injected", "missed", title="Faults", title_justify="left")
    for kind in outages.kinds:
        faults.add_row(kind, str(outages.injected[kind]), str(outages.missed[kind]))
    console.print(faults)
    titles = ("other", "attempts lost", "in Pods that waited")
    states = Table("kind", *OVER, *titles, title="Runs", title_justify="left")
    for kind in KINDS:
        promises = [promise for promise in load.promises if promise.kind == kind]
        count = Counter(promise.run.get("status") for promise in promises)
        attempts = [attempt for promise in promises for attempt in promise.run.get("attempts", ())]
        lost = sum(attempt.get("reason") in LOST for attempt in attempts)
        # The Pod of a cold run is named after it.
        warm = sum(attempt.get("podName", "").startswith("wfv-") for attempt in attempts)
        others = count.total() - sum(count[state] for state in OVER)
        states.add_row(kind, *(str(count[state]) for state in OVER), str(others), str(lost), str(warm))
    console.print(states)
    repeated = sum(promise.triggers for promise in load.promises) - len(load.promises)
    console.print(
        f"{len(load.promises)} runs, {repeated} triggers repeated, {load.lost_answers} answers lost on the way"
    )


if __name__ == "__main__":
    sys.exit(main())
