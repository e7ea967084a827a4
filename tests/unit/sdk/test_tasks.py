import asyncio
import pickle
from typing import Any

import pytest

import skerry
from skerry import OutsideRun, Retry, TaskContext, Workflows
from tests.unit.sdk.programs import double, square, sum_squares, untyped


def test_a_plain_task_called_outside_a_run_is_the_function() -> None:
    assert square(3) == 9
    assert square.map([1, 2, 3], limit=2) == [1, 4, 9]
    assert square.submit(4).result() == 16


async def test_an_async_task_called_outside_a_run_is_the_function() -> None:
    assert await double(3) == 6
    assert await double.map([1, 2], limit=1) == [2, 4]
    assert await double.submit(4) == 8


async def test_tasks_call_each_other_in_process_as_they_do_in_a_run() -> None:
    assert await sum_squares(3, start=1) == 14


def test_an_async_task_can_be_submitted_without_a_loop() -> None:
    assert double.submit(4).result() == 8


def test_in_process_calls_keep_lineage_and_leave_no_trace() -> None:
    app = Workflows()
    seen: list[TaskContext] = []

    @app.task
    def inner(ctx: TaskContext) -> None:
        seen.append(ctx)

    @app.task
    def outer(ctx: TaskContext) -> None:
        seen.append(ctx)
        inner()

    outer()
    assert seen[1].parent_run_id == seen[1].root_run_id == seen[0].run_id
    with pytest.raises(OutsideRun, match="works only inside a task"):
        skerry.context()


def test_a_context_can_be_given_in_a_test() -> None:
    app = Workflows()

    @app.task
    def tenant(ctx: TaskContext) -> Any:
        return ctx.metadata["tenant"]

    given = TaskContext(task="tenant", run_id="trn-1", metadata={"tenant": "t1"})
    assert tenant(given) == "t1"


async def test_the_first_failure_of_a_map_cancels_the_rest() -> None:
    app = Workflows()
    canceled: list[int] = []

    @app.task
    async def work(x: int) -> int:
        if x == 0:
            await asyncio.sleep(0)
            raise ValueError("zero")
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            canceled.append(x)
            raise
        return x

    with pytest.raises(ValueError, match="zero"):
        await work.map([0, 1, 2])
    assert sorted(canceled) == [1, 2]


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="limit must be 1 or more, got 0"):
        square.map([1], limit=0)


def test_two_tasks_of_one_name_are_refused_with_both_places() -> None:
    app = Workflows()
    app.task(lambda: 1)
    with pytest.raises(ValueError, match=r"two tasks named '<lambda>': .*test_tasks.py:\d+ and .*test_tasks.py:\d+"):
        app.task(lambda: 2)


def test_apps_are_merged_and_clashes_refused() -> None:
    first, second = Workflows(default_plan="pro"), Workflows()

    @first.task
    def one() -> None: ...

    @second.task
    def two() -> None: ...

    merged = Workflows.from_workflows(first, second)
    assert list(merged.tasks) == ["one", "two"]
    assert merged.tasks["one"].plan == "pro"
    second.task(name="one")(lambda: None)
    with pytest.raises(ValueError, match="two tasks named 'one'"):
        Workflows.from_workflows(first, second)


def test_options_of_a_task_win_over_defaults() -> None:
    app = Workflows(default_plan="starter", default_retry=Retry(1), default_timeout_seconds=30)
    bare = app.task(lambda: None)
    chosen = app.task(name="chosen", plan="pro", retry=Retry(0), timeout_seconds=60)(lambda: None)
    assert (bare.plan, bare.retry, bare.timeout_seconds) == ("starter", Retry(1), 30)
    assert (chosen.plan, chosen.retry, chosen.timeout_seconds) == ("pro", Retry(0), 60)


@pytest.mark.parametrize(
    "arguments",
    [{"max_retries": -1}, {"max_retries": 1, "wait_duration_ms": -1}, {"max_retries": 1, "backoff_scaling": 0.5}],
)
def test_retry_settings_out_of_range_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Retry(**arguments)


def test_a_task_keeps_its_function_name_and_pickles_by_it() -> None:
    assert square.__name__ == "square"
    assert square.__doc__ == "Multiply a number by itself."
    assert pickle.loads(pickle.dumps(square)) is square


def test_untyped_parameters_pass() -> None:
    assert untyped({"a": 1}) == {"a": 1}
