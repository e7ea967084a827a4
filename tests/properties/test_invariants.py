"""Random operations and failures against engines on a real Postgres; the invariants hold after each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from tests.databases import fresh_database
from tests.properties.worlds import Runner, World

TASKS = ("plain", "fragile", "scarce")
REASONS = (None, None, "error", "runner_lost", "timeout")
KEYS = (None, None, "k1", "k2")

Operation = Callable[[World, int, int], Awaitable[None]]
OPERATIONS: dict[str, Operation] = {}


def operation(function: Operation) -> Operation:
    """Something that may happen; the two numbers choose to whom."""
    OPERATIONS[function.__name__] = function
    return function


def chosen(world: World, index: int) -> tuple[Runner, str] | None:
    """One attempt that a runner works on."""
    busy = [(runner, attempt) for runner in world.runners for attempt in runner.attempts]
    return busy[index % len(busy)] if busy else None


@operation
async def trigger(world: World, a: int, b: int) -> None:
    await world.trigger(world.engines[a % len(world.engines)], TASKS[a % 3], KEYS[b % 4])


@operation
async def start(world: World, a: int, b: int) -> None:
    if (found := chosen(world, a)) is not None:
        found[0].start(found[1])


@operation
async def spawn(world: World, a: int, b: int) -> None:
    if (found := chosen(world, a)) is not None:
        found[0].spawn(found[1], TASKS[b % 3])


@operation
async def complete(world: World, a: int, b: int) -> None:
    if (found := chosen(world, a)) is not None:
        found[0].complete(found[1], REASONS[b % 5])


@operation
async def a_zombie_completes(world: World, a: int, b: int) -> None:
    if not world.seen_tokens:
        return
    runner, attempt, token = world.seen_tokens[a % len(world.seen_tokens)]
    if runner.attempts.get(attempt, {}).get("token") == token and not runner.dead:
        return  # Not a zombie: it is this runner's own.
    outcome = {"status": "succeeded", "result": '["zombie"]', "error": None, "reason": None}
    for speaker in world.runners:
        if attempt not in speaker.attempts:
            speaker.say({"type": "complete", "attempt": attempt, "token": token, "seq": 9, "outcome": outcome})


@operation
async def cancel(world: World, a: int, b: int) -> None:
    if world.ledger.accepted:
        run_id = sorted(world.ledger.accepted)[a % len(world.ledger.accepted)]
        await world.cancel(world.engines[b % len(world.engines)], run_id)


@operation
async def lose_the_connection(world: World, a: int, b: int) -> None:
    world.runners[a % len(world.runners)].disconnect()


@operation
async def connect_again(world: World, a: int, b: int) -> None:
    await world.runners[a % len(world.runners)].connect(world.engines[b % len(world.engines)])


@operation
async def stop_a_runner_beyond_its_lease(world: World, a: int, b: int) -> None:
    runner = world.runners[a % len(world.runners)]
    runner.disconnect()
    runner.stopped = True
    await asyncio.sleep(1.0)
    runner.stopped = False
    await runner.connect(world.engines[b % len(world.engines)])


@operation
async def kill_a_runner(world: World, a: int, b: int) -> None:
    await world.kill_runner(world.runners[a % len(world.runners)])


@operation
async def kill_a_control_plane(world: World, a: int, b: int) -> None:
    await world.kill_engine(world.engines[a % len(world.engines)])


@operation
async def cut_every_database_connection(world: World, a: int, b: int) -> None:
    await world.cut_connections()


@operation
async def lose_notifications(world: World, a: int, b: int) -> None:
    world.engines[a % len(world.engines)].peers._hear = lambda news: None


async def live_through(url: str, history: list[tuple[str, int, int]]) -> None:
    world = World(url)
    await world.open()
    try:
        for name, a, b in history:
            async with asyncio.timeout(30):
                await OPERATIONS[name](world, a, b)
                await asyncio.sleep(0.01)
                await world.check()
        await world.settle_down()
        await world.check()
    finally:
        await world.close()


# Work is likelier than failure, so that failures hit something.
NAMES = [*("trigger", "start", "spawn", "complete") * 4, *OPERATIONS]
HISTORIES = st.lists(
    st.tuples(st.sampled_from(NAMES), st.integers(0, 99), st.integers(0, 99)), min_size=12, max_size=30
)


@pytest.mark.timeout(240)
@pytest.mark.filterwarnings("default")
def test_invariants_hold_whatever_happens(postgres: str) -> None:
    @settings(
        max_examples=20,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(HISTORIES)
    @example([("trigger", 0, 0), ("spawn", 0, 0), ("cut_every_database_connection", 0, 0), ("complete", 1, 0)])
    @example([("trigger", 0, 0), ("spawn", 0, 1), ("kill_a_runner", 0, 0), ("trigger", 1, 2), ("trigger", 0, 2)])
    def live(history: list[tuple[str, int, int]]) -> None:
        with fresh_database(postgres) as url:
            asyncio.run(live_through(url, history))

    live()
