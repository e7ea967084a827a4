"""What dies under work that goes on: nothing is lost, and nothing runs twice."""

from __future__ import annotations

import contextlib
import time

from tests.end_to_end.clusters import CommandFailed, eventually
from tests.end_to_end.installations import Installation
from tests.end_to_end.nodes import frozen, single_node, stopped

CONTROL_PLANE = "app.kubernetes.io/component=control-plane"
OPERATOR = "app.kubernetes.io/component=operator"


def kill(skerry: Installation, selector: str, *names: str) -> None:
    """End Pods at once, as the loss of their node would."""
    chosen = names or skerry.own.names("pods", "--selector", selector)
    skerry.own.delete("pod", "--grace-period=0", "--force", *sorted(chosen))


def leader(skerry: Installation) -> str:
    """The operator that is active."""
    holder: str = skerry.own.get("lease", "skerry-operator")["spec"]["holderIdentity"]
    return holder


def assert_all_succeed(skerry: Installation, runs: list[str], attempts: int = 1) -> None:
    """Every run succeeds, in so many attempts."""
    for run_id in runs:
        done = skerry.finished(run_id, 120)
        assert (done.status, len(done.attempts)) == ("succeeded", attempts), done


def test_no_operator_between_task_run_and_pod(skerry: Installation) -> None:
    skerry.own.kubectl("scale", "deployment/skerry-operator", "--replicas=0", "--timeout=60s")
    eventually(lambda: skerry.own.names("pods", "--selector", OPERATOR), 60, lambda names: not names)
    runs = [skerry.start("faults/quick", number).id for number in range(5)]
    eventually(lambda: set(runs) <= skerry.tasks.names("taskruns"))
    assert not skerry.tasks.names("pods") & {f"{run}-1" for run in runs}
    skerry.own.kubectl("scale", "deployment/skerry-operator", "--replicas=2")
    assert_all_succeed(skerry, runs)


def test_the_active_operator_dies_while_pods_are_made(skerry: Installation) -> None:
    active = leader(skerry)
    runs = [skerry.start("faults/slow", 2).id for _ in range(8)]
    kill(skerry, OPERATOR, active)
    began = time.monotonic()
    eventually(lambda: leader(skerry) != active, 30)
    assert time.monotonic() - began < 20
    assert_all_succeed(skerry, runs)


def test_a_control_plane_replica_dies_mid_run(skerry: Installation) -> None:
    runs = [skerry.start("faults/fan_out", 3, 12).id, *(skerry.start("faults/slow", 12).id for _ in range(3))]
    for run_id in runs:
        skerry.begun(run_id)
    for name in sorted(skerry.own.names("pods", "--selector", CONTROL_PLANE)):
        kill(skerry, CONTROL_PLANE, name)
        skerry.own.kubectl("rollout", "status", "deployment/skerry-control-plane", "--timeout=60s")
    runs.append(skerry.start("faults/quick", 1).id)
    assert_all_succeed(skerry, runs)


def test_the_control_plane_is_away_for_a_while(skerry: Installation) -> None:
    ending, removed = skerry.start("faults/slow", 8).id, skerry.start("faults/slow", 60).id
    for run_id in (ending, removed):
        skerry.begun(run_id)
    skerry.own.kubectl("scale", "deployment/skerry-control-plane", "--replicas=0")
    eventually(lambda: skerry.own.names("pods", "--selector", CONTROL_PLANE), 60, lambda names: not names)
    skerry.tasks.delete("taskrun", removed)
    time.sleep(10)  # one run ends meanwhile, and the lease of both would
    skerry.own.kubectl("scale", "deployment/skerry-control-plane", "--replicas=2")
    skerry.own.kubectl("rollout", "status", "deployment/skerry-control-plane", "--timeout=60s")
    assert_all_succeed(skerry, [ending])
    gone = skerry.finished(removed)
    assert (gone.status, gone.reason) == ("canceled", "deleted")


def test_postgres_restarts_mid_run(skerry: Installation) -> None:
    runs = [skerry.start("faults/fan_out", 2, 8).id, skerry.start("faults/slow", 8).id]
    for run_id in runs:
        skerry.begun(run_id)
    # Not by deleting its Pod by force: a second server would start on the data while the first still runs.
    with contextlib.suppress(CommandFailed):  # the container ends under it
        skerry.own.kubectl("exec", "skerry-postgres-0", "--", "sh", "-c", "pg_ctl -D $PGDATA stop -m immediate")
    assert eventually(lambda: skerry.own.pods("skerry-postgres-0")["status"]["containerStatuses"][0]["restartCount"])
    eventually(lambda: skerry.sql("SELECT 1") == "1", 60)
    runs.append(skerry.start("faults/quick", 1).id)
    assert_all_succeed(skerry, runs)


@single_node
def test_the_kubelet_stops_and_starts(skerry: Installation) -> None:
    before = skerry.start("faults/slow", 10).id
    skerry.begun(before)
    with stopped("kubelet"):
        meanwhile = skerry.start("faults/quick", 1).id
        time.sleep(15)
        assert skerry.show(before).status == "succeeded"
        assert skerry.show(meanwhile).status == "pending"
    assert_all_succeed(skerry, [before, meanwhile])


@single_node
def test_the_api_server_does_not_answer(skerry: Installation) -> None:
    before = skerry.start("faults/slow", 10).id
    skerry.begun(before)
    with frozen("apiserver"):
        meanwhile = [skerry.start("faults/quick", number).id for number in range(3)]
        time.sleep(30)
        assert skerry.show(before).status == "succeeded"
    assert_all_succeed(skerry, [before, *meanwhile])
