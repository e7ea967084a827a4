"""Real processes, killed where it hurts: every accepted run ends once, with the right result."""

from __future__ import annotations

import signal
import time

from tests.integration.faults.clusters import Cluster, eventually


def test_trigger_here_wait_there_run_elsewhere(cluster: Cluster) -> None:
    run_id = cluster.front.trigger("parent", 0)
    assert cluster.front.result(run_id)["results"] == [1]
    assert cluster.worker.run(run_id)["status"] == "succeeded"


def test_a_killed_runner_costs_an_attempt_not_the_run(cluster: Cluster) -> None:
    run_id = cluster.front.trigger("slow", 30)
    eventually(lambda: cluster.marked("begin 1"))
    folder = cluster.runner_sockets()
    assert list(folder.glob("*.sock"))
    cluster.signal_runner(signal.SIGKILL)
    run = cluster.front.result(run_id)
    assert not folder.exists()
    assert cluster.runner_sockets() != folder
    assert (run["status"], run["results"]) == ("succeeded", [2])
    assert [attempt["reason"] for attempt in run["attempts"]] == ["runner_lost", None]
    assert not cluster.marked("end 1")


def test_a_killed_control_plane_is_recovered_from(cluster: Cluster) -> None:
    run_id = cluster.worker.trigger("parent", 30)
    eventually(lambda: cluster.marked("begin 1"))
    folder = cluster.runner_sockets()
    cluster.worker.kill()
    waiting = cluster.front.trigger("quick", 1)
    cluster.worker.start()
    assert cluster.front.result(waiting)["results"] == [2]
    run = cluster.front.result(run_id)
    assert (run["status"], run["results"]) == ("succeeded", [1])
    children = cluster.front.api.get(f"/v1/task-runs/{run_id}/tree").json()["children"]
    assert sorted(child["run"]["status"] for child in children) == ["canceled", "succeeded"]
    eventually(lambda: not folder.exists())


def test_a_stopped_runner_loses_its_attempt_and_its_late_result_changes_nothing(cluster: Cluster) -> None:
    run_id = cluster.front.trigger("slow", 1)
    eventually(lambda: cluster.marked("begin 1"))
    cluster.signal_runner(signal.SIGSTOP)
    eventually(lambda: cluster.front.run(run_id)["attempts"][0]["status"] == "failed", 30)
    assert cluster.marked("end 1"), "the user's process went on while its runner was stopped"
    cluster.signal_runner(signal.SIGCONT)
    run = cluster.front.result(run_id)
    assert (run["status"], run["results"]) == ("succeeded", [2])
    assert run["attempts"][0]["reason"] == "runner_lost"
    time.sleep(0.5)
    assert cluster.front.run(run_id)["results"] == [2]


def test_a_cancel_on_one_process_stops_what_runs_on_another(cluster: Cluster) -> None:
    run_id = cluster.front.trigger("parent", 30)
    eventually(lambda: cluster.marked("begin 1"))
    assert cluster.front.api.delete(f"/v1/task-runs/{run_id}").status_code == 204
    tree = cluster.front.api.get(f"/v1/task-runs/{run_id}/tree").json()
    assert tree["run"]["status"] == "canceled"
    assert [child["run"]["status"] for child in tree["children"]] == ["canceled"]
    assert cluster.front.result(cluster.front.trigger("quick", 4))["results"] == [5]
    assert not cluster.marked("end 1")
