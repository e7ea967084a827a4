"""Which attempt runs when, and what is kept for how long; on a real Postgres, with runners that do what the test tells them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from skerry_api.domain.errors import Conflict, InvalidRequest
from skerry_api.domain.retries import Retry
from skerry_api.engine.submissions import Submission, Trigger
from skerry_api.storage import logs, runs
from skerry_api.storage.runs import Finished
from tests.properties.worlds import Runner, World


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    world = World(database_url)
    await world.open()
    yield world
    await world.close()


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


async def trigger(world: World, task: str = "plain", **options: Any) -> Submission:
    return await world.engines[0].submit(Trigger(f"world/{task}", [], "[]", **options))


def working(world: World) -> list[tuple[Runner, str]]:
    return [(runner, attempt) for runner in world.runners for attempt in runner.attempts]


def runs_of(world: World) -> list[str]:
    return [attempt.rpartition("-")[0] for _, attempt in working(world)]


async def status(world: World, run_id: str) -> str:
    run, _ = await world.engines[1].details.fetch(run_id)
    found: str = run["status"]
    return found


async def only_slot(world: World) -> Runner:
    """Leave one runner with one free slot."""
    world.runners[1].disconnect()
    runner = world.runners[0]
    assert runner.session is not None
    runner.session.capacity = 1
    await asyncio.sleep(0.2)  # Claims under way for what was free before are over then.
    return runner


async def test_a_workflow_limit_holds_across_processes_and_frees_slots(world: World) -> None:
    await world.engines[0].registry.update_workflow(world.workflow_id, {"concurrency_limit": 2})
    await until(lambda: world.engines[1].registry.concurrency_limit(world.workflow_id) == 2)
    for _ in range(5):
        await trigger(world)
    seen = 0
    while seen < 5:
        await until(lambda: len(working(world)) > 0)
        await asyncio.sleep(0.1)
        assert len(working(world)) <= 2
        runner, attempt = working(world)[0]
        runner.complete(attempt, None)
        seen += 1
    assert not working(world)


async def test_a_task_limit_holds_across_processes_and_holds_up_nobody_else(world: World) -> None:
    for number in range(6):
        await world.engines[number % 2].submit(Trigger("world/scarce", [], "[]", priority=9))
    await until(lambda: len(working(world)) == 2)
    plain = (await trigger(world)).run_id
    await until(lambda: plain in runs_of(world))
    for _ in range(6):
        await until(lambda: any(run != plain for run in runs_of(world)))
        scarce = [(runner, attempt) for runner, attempt in working(world) if not attempt.startswith(plain)]
        assert len(scarce) <= 2
        scarce[0][0].complete(scarce[0][1], None)
    await until(lambda: runs_of(world) == [plain])


async def test_a_limit_that_is_lowered_holds_when_enough_have_ended(world: World) -> None:
    for _ in range(3):
        await trigger(world)
    await until(lambda: len(working(world)) == 3)
    await world.engines[0].registry.update_workflow(world.workflow_id, {"concurrency_limit": 1})
    await until(lambda: world.engines[1].registry.concurrency_limit(world.workflow_id) == 1)
    last = (await trigger(world)).run_id
    for left in (2, 1, 0):
        runner, attempt = working(world)[0]
        runner.complete(attempt, None)
        if left:
            await asyncio.sleep(0.1)
            assert len(working(world)) == left
    await until(lambda: runs_of(world) == [last])


async def test_an_attempt_that_waits_for_children_takes_no_slot(world: World) -> None:
    await world.engines[0].registry.update_workflow(world.workflow_id, {"concurrency_limit": 1})
    await until(lambda: world.engines[1].registry.concurrency_limit(world.workflow_id) == 1)
    parent = await trigger(world)
    await until(lambda: len(working(world)) == 1)
    runner, attempt = working(world)[0]
    runner.start(attempt)
    runner.spawn(attempt, "fragile")
    await asyncio.sleep(0.2)
    assert len(working(world)) == 1, "the limit holds while the parent works"
    runner.say({"type": "waiting", "waiting": True, **runner._speaker(attempt)})
    await until(lambda: len(working(world)) == 2)
    assert await status(world, parent.run_id) == "paused"


async def test_higher_priority_goes_first_then_the_older(world: World) -> None:
    runner = await only_slot(world)
    await trigger(world)
    await until(lambda: bool(runner.attempts))
    low, high, later = [(await trigger(world, priority=level)).run_id for level in (1, 9, 9)]
    order = []
    for _ in range(4):
        await until(lambda: bool(runner.attempts))
        (attempt,) = runner.attempts
        order.append(attempt.rpartition("-")[0])
        runner.complete(attempt, None)
    assert order[1:] == [high, later, low]


async def test_a_delayed_run_starts_at_its_moment(world: World) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=0.4)
    await trigger(world, ready_at=moment)
    await asyncio.sleep(0.2)
    assert not working(world)
    await until(lambda: bool(working(world)), 3)
    assert datetime.now(UTC) >= moment


async def test_a_retry_waits_as_long_as_it_should(world: World) -> None:
    submission = await trigger(world, retry=Retry(1, 300, 1.0))
    await until(lambda: bool(working(world)))
    runner, attempt = working(world)[0]
    runner.complete(attempt, "error")
    await asyncio.sleep(0.15)
    assert not working(world)
    assert await status(world, submission.run_id) == "pending"
    await until(lambda: bool(working(world)), 3)
    assert working(world)[0][1] == f"{submission.run_id}-2"


async def test_a_run_canceled_between_attempts_is_not_tried_again(world: World) -> None:
    submission = await trigger(world, retry=Retry(1, 200, 1.0))
    await until(lambda: bool(working(world)))
    runner, attempt = working(world)[0]
    runner.complete(attempt, "error")
    await asyncio.sleep(0.1)
    await world.engines[1].cancel(submission.run_id)
    await asyncio.sleep(0.4)
    assert not working(world)
    assert await status(world, submission.run_id) == "canceled"


async def test_children_end_with_a_parent_that_does_not_wait_for_them(world: World) -> None:
    await trigger(world)
    await until(lambda: bool(working(world)))
    runner, attempt = working(world)[0]
    runner.spawn(attempt, "plain")
    await until(lambda: len(working(world)) == 2)
    child = next(run for run in runs_of(world) if not attempt.startswith(run))
    runner.complete(attempt, None)
    await until(lambda: not working(world))
    assert await status(world, child) == "canceled"


async def test_nesting_has_a_bound(world: World) -> None:
    await trigger(world)
    await until(lambda: bool(working(world)))
    runner, attempt = working(world)[0]
    assert runner.session is not None
    held = runner.session._held[attempt]
    held.assignment.depth = world.engines[0].settings.limits.depth
    failures: list[Any] = []
    heard = held.children._send
    held.children._send = lambda message: (failures.append(message), heard(message))[0]
    runner.spawn(attempt, "plain")
    await until(lambda: any(message["type"] == "spawn_failed" for message in failures))
    assert failures[0]["error"]["code"] == "too_deep"


async def test_a_batch_is_all_or_nothing(world: World) -> None:
    good, bad = Trigger("world/plain", [], "[]"), Trigger("world/plain", [], "[]", plan="huge")
    with pytest.raises(InvalidRequest, match="no plan 'huge'"):
        await world.engines[0].submit_many([good, bad])
    assert (await world.query("SELECT count(*) FROM runs"))[0][0][0] == 0


async def test_deleting_a_workflow_waits_for_its_runs(world: World) -> None:
    submission = await trigger(world)
    with pytest.raises(Conflict, match="not over"):
        await world.engines[0].registry.delete_workflow(world.workflow_id)
    await world.engines[0].cancel(submission.run_id)
    await world.engines[0].registry.delete_workflow(world.workflow_id)


async def test_finished_trees_are_removed_when_their_time_is_over(world: World) -> None:
    old, young, running = [(await trigger(world)).run_id for _ in range(3)]
    await until(lambda: len(working(world)) == 3)
    for runner, attempt in working(world):
        if not attempt.startswith(running):
            runner.complete(attempt, None)
    await until(lambda: len(working(world)) == 1)
    await asyncio.sleep(0.2)
    async with world.engines[0].database.transaction() as connection:
        await connection.execute(
            text("UPDATE runs SET completed_at = now() - interval '31 days' WHERE id = :id"), {"id": old}
        )
        assert await runs.delete_expired_runs(connection, 100) == 1
    left, inputs, attempts = await world.query(
        "SELECT id FROM runs ORDER BY id", "SELECT run_id FROM run_inputs", "SELECT run_id FROM attempts"
    )
    assert [row[0] for row in left] == sorted([young, running])
    assert {row[0] for row in inputs} == {row[0] for row in attempts} == {young, running}


async def test_logs_are_kept_by_day(world: World) -> None:
    async with world.engines[0].database.transaction() as connection:
        await logs.ensure_log_partitions(connection, 3)
        await logs.ensure_log_partitions(connection, 3)
        await logs.drop_log_partitions(connection, 30)
    partitions = (await world.query("SELECT count(*) FROM pg_inherits WHERE inhparent = 'logs'::regclass"))[0][0][0]
    assert partitions >= 3


async def test_metrics_tell_of_runs_and_the_queue(world: World) -> None:
    engine = world.engines[0]
    for runner in world.runners:
        runner.disconnect()
    await asyncio.sleep(0.2)  # A claim under way for a runner that just left would still take the attempt.
    await trigger(world)
    await engine.telemetry.refresh()
    value = engine.telemetry.registry.get_sample_value
    assert value("skerry_runs_open", {"workflow": "world", "status": "pending"}) == 1
    assert value("skerry_queue_depth", {"pool": world.version}) == 1
    assert value("skerry_runs_submitted_total", {"workflow": "world", "task": "plain"}) == 1


async def test_results_are_the_text_that_was_sent(world: World) -> None:
    submission = await trigger(world)
    await until(lambda: bool(working(world)))
    runner, attempt = working(world)[0]
    heard: list[Finished] = []
    world.engines[1].ends.listen(submission.run_id, heard.append)
    runner.complete(attempt, None)
    await until(lambda: bool(heard))
    assert [finished.result for finished in heard] == [json.dumps([attempt])]
