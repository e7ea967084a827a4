"""What the quick start promises: install, release, start a run, watch its Pods."""

from __future__ import annotations

from tests.end_to_end.clusters import run
from tests.end_to_end.installations import NAMESPACE, RELEASE, Installation

PLANS = {"starter": ("500m", "512Mi"), "standard": ("1", "2Gi")}


def test_the_release_tests_itself(skerry: Installation) -> None:
    logs = run("helm", "test", RELEASE, "--namespace", NAMESPACE, "--logs")
    assert "ok: GET /v1/workflows with the key: 200" in logs


def test_every_task_of_the_loop_has_a_pod_of_its_plan(skerry: Installation) -> None:
    started = skerry.start("generation-loop/generation_loop", "a todo list with due dates", "ada")
    done = skerry.finished(started.id)
    assert done.status == "succeeded", done.error
    assert done.results[0]["success"] is True
    with skerry.client() as client:
        runs = {each.id: each for each in client.runs.list(root_run_id=started.id)}
    assert len(runs) >= 8
    skerry.idle()
    task_runs = {each["metadata"]["name"]: each for each in skerry.tasks.get("taskruns")}
    pods = {each["metadata"]["name"]: each for each in skerry.tasks.pods()}
    hosts = set()
    for run_id, found in runs.items():
        status = task_runs[run_id]["status"]
        assert (status["phase"], status["reason"], status["attempt"]) == ("Succeeded", "Completed", 1)
        pod = pods[status["podName"]]
        cpu, memory = PLANS[found.plan]
        container = pod["spec"]["containers"][0]
        assert container["resources"]["limits"] == {"cpu": cpu, "memory": memory}
        assert container["image"] == "localhost/skerry-generation-loop:dev"
        hosts.add(pod["metadata"]["uid"])
    assert len(hosts) == len(runs)


def test_the_kernel_holds_a_container_to_its_plan(skerry: Installation) -> None:
    done = skerry.finished(skerry.start("faults/limits").id)
    assert done.results[0] == {"cpu": 0.5, "memory": 512 << 20, "user": 65532, "host": f"{done.id}-1"}


def test_the_story_that_kubectl_tells(skerry: Installation) -> None:
    started = skerry.start("faults/quick", 1)
    skerry.finished(started.id)
    skerry.idle()
    table = skerry.tasks.kubectl("get", "taskruns", started.id).splitlines()
    assert table[0].split()[:6] == ["NAME", "TASK", "PLAN", "PHASE", "ATTEMPT", "REASON"]
    assert table[1].split()[:6] == [started.id, "quick", "starter", "Succeeded", "1", "Completed"]
    story = skerry.tasks.kubectl("describe", "taskrun", started.id)
    for word in ("Normal", "Started", "Succeeded", f"{started.id}-1"):
        assert word in story
    assert "begin" in skerry.tasks.kubectl("logs", f"{started.id}-1")
