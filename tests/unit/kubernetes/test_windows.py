"""How many Pods may be starting, as a table of what happened before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from skerry_api.executors.kubernetes.windows import (
    HELD_UP_SECONDS,
    MEMORY_SECONDS,
    MOST_STARTING,
    START_SECONDS,
    STARTING_PER_NODE,
    Window,
)
from skerry_api.storage.launches import Launch
from skerry_objects.task_runs import Phase, TaskRun, TaskRunStatus
from tests.unit.operator.objects import task_run


class Cluster:
    """A queue and what the API server shows, with a clock that goes when told."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.window = Window(lambda: self.now)
        self.queue: list[Launch] = []
        self.shown: dict[str, TaskRun] = {}

    def submit(self, count: int, pool: str = "shop") -> None:
        first = len(self.queue)
        names = [f"{pool}-{number}" for number in range(first, first + count)]
        self.queue += [
            Launch(f"{name}-1", name, 1, "queued", pool, "shop", "wfv-1", "build", "standard", 60) for name in names
        ]

    def look(self) -> list[str]:
        """Which runs were given TaskRuns by a look at the queue."""
        opened = self.window.open(self.queue[:MOST_STARTING], self.shown)
        new = [launch for launch in opened if launch.attempt not in self.shown]
        self.shown |= {launch.attempt: task_run() for launch in new}
        return [launch.run for launch in new]

    def begin(self, count: int) -> None:
        """The first of those that have TaskRuns begin."""
        for attempt in list(self.shown)[:count]:
            del self.shown[attempt]
            self.queue = [launch for launch in self.queue if launch.attempt != attempt]

    def tell(self, status: TaskRunStatus) -> None:
        """Everything that is starting says this of itself."""
        self.shown = {name: seen.model_copy(update={"status": status}) for name, seen in self.shown.items()}


def test_a_burst_is_begun_with_what_one_node_takes() -> None:
    cluster = Cluster()
    cluster.submit(50)
    assert cluster.look() == [f"shop-{number}" for number in range(STARTING_PER_NODE)]
    assert cluster.look() == []


def test_each_that_begins_lets_another_start() -> None:
    cluster = Cluster()
    cluster.submit(50)
    cluster.look()
    cluster.now += START_SECONDS
    cluster.begin(3)
    assert len(cluster.look()) == 3


def test_a_cluster_that_starts_quickly_is_asked_for_more() -> None:
    cluster = Cluster()
    cluster.submit(MOST_STARTING * 20)
    sizes = []
    for _ in range(20):
        cluster.look()
        cluster.now += START_SECONDS / 4
        cluster.begin(len(cluster.shown))
        cluster.look()
        sizes.append(cluster.window.size)
    assert sizes[0] == STARTING_PER_NODE
    assert sizes == sorted(sizes)
    assert sizes[-1] == MOST_STARTING


def test_one_that_starts_slowly_is_not() -> None:
    cluster = Cluster()
    cluster.submit(500)
    for _ in range(20):
        cluster.look()
        cluster.now += START_SECONDS + 1
        cluster.begin(len(cluster.shown))
    assert cluster.window.size == STARTING_PER_NODE


def test_slow_is_what_takes_twice_as_long_as_the_shortest_start() -> None:
    cluster = Cluster()
    asked = datetime(2026, 11, 1, tzinfo=UTC)
    run = task_run(status={"startedAt": (asked + timedelta(seconds=3 * START_SECONDS)).isoformat()})
    metadata = run.metadata.model_copy(update={"creation_timestamp": asked})
    cluster.window.see(run.model_copy(update={"metadata": metadata}))
    cluster.submit(1)
    for _ in range(2):
        cluster.look()
    cluster.begin(1)  # At once: that was no start, but somebody canceled it.
    cluster.submit(500)
    for _ in range(4):
        cluster.look()
        cluster.now += 3 * START_SECONDS
        cluster.begin(len(cluster.shown))
        cluster.look()
    assert cluster.window.size > STARTING_PER_NODE


def test_nodes_where_runs_were_seen_widen_it_for_a_while() -> None:
    cluster = Cluster()
    for node in ("one", "two", "two", "three"):
        cluster.window.see(task_run(status={"node": node}))
    cluster.window.see(task_run())
    assert cluster.window.size == 3 * STARTING_PER_NODE
    cluster.now += MEMORY_SECONDS
    assert cluster.window.size == STARTING_PER_NODE


def test_what_is_held_up_holds_up_nobody() -> None:
    cluster = Cluster()
    cluster.submit(50)
    cluster.look()
    cluster.tell(TaskRunStatus(phase=Phase.PENDING, attempt=1, reason="NoRoom"))
    assert len(cluster.look()) == STARTING_PER_NODE
    assert cluster.look() == []


def test_what_is_told_of_another_attempt_does_not_count() -> None:
    cluster = Cluster()
    cluster.submit(50)
    cluster.look()
    cluster.tell(TaskRunStatus(phase=Phase.FAILED, attempt=2, reason="Evicted"))
    assert cluster.look() == []


def test_what_does_not_begin_holds_others_up_for_so_long() -> None:
    cluster = Cluster()
    cluster.submit(50)
    cluster.look()
    cluster.look()  # Since this one they are known to be there.
    cluster.now += HELD_UP_SECONDS
    assert cluster.look() == []
    cluster.now += 1
    assert len(cluster.look()) == STARTING_PER_NODE


def test_pools_take_turns() -> None:
    cluster = Cluster()
    cluster.submit(50, "large")
    cluster.look()
    cluster.submit(2, "small")
    cluster.begin(4)
    assert cluster.look() == ["large-8", "large-9", "small-50", "small-51"]
