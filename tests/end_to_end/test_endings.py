"""Every way a run can end in a Pod, told by the record and by kubectl alike."""

from __future__ import annotations

from typing import Any

import pytest

from tests.end_to_end.clusters import eventually
from tests.end_to_end.installations import Installation


def attempts(found: Any) -> list[tuple[str, str | None]]:
    """Status and reason of each attempt of a run."""
    return [(each.status, each.reason) for each in found.attempts]


@pytest.fixture(scope="module")
def too_slow(installation: Installation) -> str:
    """A run that exceeds its time-out of 30 s while the other tests go on."""
    return installation.start("faults/too_slow").id


def test_too_much_memory(skerry: Installation, too_slow: str) -> None:
    done = skerry.finished(skerry.start("faults/too_big").id)
    assert attempts(done) == [("failed", "oom_killed")]
    assert skerry.told(done.id) == ("Failed", "OOMKilled")


def test_a_process_that_ends_without_a_word_is_tried_again_in_another_pod(skerry: Installation) -> None:
    done = skerry.finished(skerry.start("faults/dies").id)
    assert (done.status, done.results) == ("succeeded", [2])
    assert attempts(done) == [("failed", "exited"), ("succeeded", None)]
    assert skerry.told(done.id) == ("Succeeded", "Completed")
    task_run = skerry.tasks.get("taskrun", done.id)
    assert (task_run["spec"]["attempt"], task_run["status"]["podName"]) == (2, f"{done.id}-2")


def test_a_plan_that_fits_no_node(skerry: Installation) -> None:
    done = skerry.finished(skerry.start("faults/fits_nowhere").id)
    assert {reason for _, reason in attempts(done)} == {"unschedulable"}
    assert skerry.told(done.id) == ("Failed", "Unschedulable")
    assert "Insufficient cpu" in (done.error or "")


def test_a_deleted_pod_costs_an_attempt_and_not_the_run(skerry: Installation) -> None:
    started = skerry.start("faults/slow", 6)
    skerry.begun(started.id)
    skerry.tasks.delete("pod", f"{started.id}-1")
    done = skerry.finished(started.id)
    assert done.status == "succeeded"
    assert [status for status, _ in attempts(done)] == ["failed", "succeeded"]
    assert done.results == [f"{started.id}-2"]


def test_a_deleted_task_run_cancels(skerry: Installation) -> None:
    started = skerry.start("faults/slow", 60)
    skerry.begun(started.id)
    skerry.tasks.delete("taskrun", started.id)
    done = skerry.finished(started.id)
    assert (done.status, done.reason) == ("canceled", "deleted")
    eventually(lambda: skerry.tasks.find("pod", f"{started.id}-1"), until=lambda pod: pod is None)


def test_a_canceled_run_takes_its_pods_along(skerry: Installation) -> None:
    started = skerry.start("faults/fan_out", 3, 60)
    with skerry.client() as client:
        children = eventually(
            lambda: [each.id for each in client.runs.list(root_run_id=started.id)][:-1], 30, lambda ids: len(ids) == 3
        )
        for child in children:
            skerry.begun(child)
        client.runs.cancel(started.id)
    assert skerry.finished(started.id).status == "canceled"
    skerry.idle(20)
    assert {skerry.told(each) for each in (started.id, *children)} == {("Canceled", "Canceled")}


def test_too_much_time(skerry: Installation, too_slow: str) -> None:
    assert attempts(skerry.finished(too_slow)) == [("failed", "timeout")]
    assert skerry.told(too_slow) == ("Failed", "DeadlineExceeded")
