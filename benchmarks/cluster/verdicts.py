"""What must be true after a soak, whatever went wrong in it: nothing is lost, runs twice at once or is left over."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from benchmarks.cluster.loads import CHILDREN, OVER, Load, Promise
from benchmarks.cluster.standbys import WORKFLOW
from tests.end_to_end.clusters import CommandFailed
from tests.end_to_end.installations import Installation

# Ends that say nothing about the task, only about where it ran; so many of them a run survives.
LOST = ("runner_lost", "node_lost", "evicted", "preempted")
MOST_LOST = 3
# How long pools, TaskRuns and Pods may take to come to rest.
REST_SECONDS = 60.0
WAIT_SECONDS = 20.0
AT_ONCE = 16
ACTIVE_PHASES = "status.phase!=Succeeded,status.phase!=Failed"


async def until_over(load: Load, seconds: float) -> list[str]:
    """Wait for the end of all runs; those that had none within `seconds`, in words."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def wait(promise: Promise) -> None:
        async with turns:
            while not promise.is_over:
                await load.look(promise, WAIT_SECONDS)

    try:
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            for promise in load.promises:
                if promise.ids:
                    group.create_task(wait(promise))
    except TimeoutError:
        pass
    late = [promise for promise in load.promises if promise.ids and not promise.is_over]
    return [
        f"{_named(promise)} is {promise.run.get('status')} {seconds:g} s after the last trigger" for promise in late
    ]


async def of_runs(load: Load) -> list[str]:
    """What is wrong with runs, their attempts and children."""
    found = []
    for promise in load.promises:
        if promise.refused:
            found.append(f"{promise.key} ({promise.kind}) was refused: {promise.refused}")
        elif len(promise.ids) != 1:
            found.append(f"{promise.key} ({promise.kind}) was answered {len(promise.ids)} runs: {sorted(promise.ids)}")
        elif promise.is_over:
            found += [f"{_named(promise)} {words}" for words in (*_end(promise), *_attempts(promise.run))]
            if promise.kind == "family":
                tree = await load.get(f"/v1/task-runs/{promise.id}/tree")
                found += [f"{_named(promise)} {words}" for words in _children(promise.run, tree["children"])]
    return found


def _named(promise: Promise) -> str:
    return f"{promise.id} ({promise.kind}, {promise.key})"


def _end(promise: Promise) -> Iterable[str]:
    run = promise.run
    lost = [attempt for attempt in run["attempts"] if attempt.get("reason") in LOST]
    if run["status"] == "canceled" and not promise.is_canceled:
        yield f"is canceled ({run.get('reason')}), but nobody asked for it"
    elif run["status"] == "failed" and not (run.get("reason") in LOST and len(lost) > MOST_LOST):
        yield f"failed: {run.get('reason')}, {run.get('error')}"
    elif run["status"] == "succeeded" and run["results"] != [promise.result()]:
        yield f"has a result that is not its own: {run['results']}"


def _attempts(run: Any) -> Iterable[str]:
    attempts = run["attempts"]
    if [each["attempt"] for each in attempts] != list(range(len(attempts))):
        yield f"has attempts {[each['attempt'] for each in attempts]}"
    succeeded = [each["attempt"] for each in attempts if each["status"] == "succeeded"]
    if succeeded != ([attempts[-1]["attempt"]] if run["status"] == "succeeded" else []):
        yield f"is {run['status']}, attempts {succeeded} of {len(attempts)} succeeded"
    for earlier, later in pairwise(attempts):
        if earlier.get("completedAt") is None or _moment(later["startedAt"]) < _moment(earlier["completedAt"]):
            yield f"had attempts {earlier['attempt']} and {later['attempt']} at once: {earlier} {later}"
    counted = [each for each in attempts if each["status"] == "failed" and each.get("reason") not in LOST]
    if len(counted) > run["retry"]["maxRetries"] + (run["status"] == "failed"):
        yield f"was tried {len(counted)} times too often: {[each.get('reason') for each in attempts]}"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _children(run: Any, children: Sequence[Any]) -> Iterable[str]:
    """Of every attempt at most so many, of one that succeeded all, and none that outlives its parent."""
    for attempt in run["attempts"]:
        own = [child["run"] for child in children if child["run"].get("parentTaskAttempt") == attempt["attempt"]]
        succeeded = sum(child["status"] == "succeeded" for child in own)
        if len(own) > CHILDREN or (attempt["status"] == "succeeded" and succeeded != CHILDREN):
            yield f"attempt {attempt['attempt']} ({attempt['status']}) has {len(own)} children, {succeeded} succeeded"
    for child in children:
        if child["run"]["status"] not in OVER:
            yield f"is over, its child {child['run']['id']} is {child['run']['status']}"
        yield from (f"child {child['run']['id']} {words}" for words in _attempts(child["run"]))


def of_record(installation: Installation, load: Load) -> list[str]:
    """What is wrong in the record: runs that are not there, or were never promised, or break an invariant."""
    pairs = f"SELECT json_object_agg(idempotency_key, id) FROM runs WHERE idempotency_key LIKE '{load.name}-%'"
    stored: dict[str, str] = json.loads(installation.sql(pairs) or "{}")
    promised = {promise.key: promise.id for promise in load.promises if promise.ids}
    found = [f"{key} is {stored.get(key)}, not {run}" for key, run in promised.items() if stored.get(key) != run]
    found += [f"{stored[key]} ({key}) was never asked for" for key in stored.keys() - promised.keys()]
    installation.ledger.accepted.update(promised.values())
    try:
        installation.check()
    except AssertionError as error:
        found.append(str(error))
    return found


def of_rest(installation: Installation) -> list[str]:
    """What has not come to rest within `REST_SECONDS`."""
    return [*_settled(lambda: _pools(installation)), *_settled(lambda: _left_over(installation))]


def _settled(look: Callable[[], list[str]]) -> list[str]:
    end = time.monotonic() + REST_SECONDS
    while True:
        try:
            found = look()
        except CommandFailed as error:
            found = [str(error)]
        if not found or time.monotonic() > end:
            return found
        time.sleep(1)


def _pools(installation: Installation) -> list[str]:
    """Pools in which not as many Pods wait as should; one whose plan no node has room for never has them."""
    found = []
    for pool in installation.tasks.get("runnerpools", "--selector", f"skerry.dev/workflow={WORKFLOW}"):
        wanted, idle = (
            int((pool.get(part) or {}).get(name) or 0) for part, name in (("spec", "replicas"), ("status", "idle"))
        )
        if pool["spec"].get("plan") != "huge" and wanted != idle:
            found.append(f"{pool['metadata']['name']}: {idle} wait, {wanted} should")
    return found


def _left_over(installation: Installation) -> list[str]:
    """TaskRuns and Pods that go on although their run is over or was never there."""
    live = set(installation.sql("SELECT id FROM runs WHERE completed_at IS NULL").split())
    found = []
    for task_run in installation.tasks.get("taskruns"):
        name, phase = task_run["metadata"]["name"], task_run.get("status", {}).get("phase")
        if phase not in ("Succeeded", "Failed", "Canceled") and name not in live:
            found.append(f"TaskRun {name} is {phase}, its run is over")
    for pod in installation.tasks.get("pods", "--selector", "skerry.dev/run", "--field-selector", ACTIVE_PHASES):
        if pod["metadata"]["labels"]["skerry.dev/run"] not in live:
            found.append(f"Pod {pod['metadata']['name']} is {pod['status'].get('phase')}, its run is over")
    return found
