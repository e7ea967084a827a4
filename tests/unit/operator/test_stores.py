from __future__ import annotations

from typing import Any

from skerry_objects import names
from skerry_operator.stores import Key, Kind, Store, Touch, Touched
from tests.unit.operator.objects import stamp

RUN = Key(Kind.TASK_RUN, "trn-1")
POOL = Key(Kind.RUNNER_POOL, "pool")


def item(kind: Kind, name: str, version: int, uid: str = "", **more: Any) -> dict[str, Any]:
    metadata = {
        "name": name,
        "uid": uid or f"uid-{name}",
        "resourceVersion": str(version),
        "creationTimestamp": stamp(),
        **more.pop("metadata", {}),
    }
    specs: dict[Kind, Any] = {
        Kind.TASK_RUN: {
            "runID": name,
            "workflow": "etl",
            "version": "v",
            "task": "t",
            "poolRef": "pool",
            "plan": "p",
            "timeoutSeconds": 1,
        },
        Kind.RUNNER_POOL: {"workflow": "etl", "version": "v", "plan": "p", "template": {"image": "i"}},
        Kind.POD: {},
    }
    return {"metadata": metadata, "spec": specs[kind] | more.pop("spec", {}), **more}


def pod(name: str, version: int, **more: Any) -> dict[str, Any]:
    owner = {"kind": "TaskRun", "name": "trn-1", "uid": "uid-trn-1", "controller": True}
    metadata = {"labels": {names.POOL: "pool"}, "ownerReferences": [owner]}
    return item(Kind.POD, name, version, metadata=metadata, **more)


def keys(touched: Touched) -> set[Key]:
    return {touch.key for touch in touched}


def test_news_touch_who_they_concern() -> None:
    store = Store()
    assert keys(store.put(Kind.TASK_RUN, item(Kind.TASK_RUN, "trn-1", 5))) == {RUN}
    assert keys(store.put(Kind.RUNNER_POOL, item(Kind.RUNNER_POOL, "pool", 6))) == {POOL, RUN}
    assert keys(store.put(Kind.POD, pod("trn-1-1", 7))) == {RUN, POOL}
    assert [entry.name for entry in store.pods_of("uid-trn-1")] == ["trn-1-1"]
    assert [entry.name for entry in store.pods_of_pool("pool")] == ["trn-1-1"]


def test_run_is_new_when_it_is_seen_first() -> None:
    store = Store()
    assert store.put(Kind.TASK_RUN, item(Kind.TASK_RUN, "trn-1", 5)) == [Touch(RUN, is_new=True)]
    assert store.put(Kind.TASK_RUN, item(Kind.TASK_RUN, "trn-1", 6)) == [Touch(RUN)]
    assert Touch(RUN) in store.put(Kind.POD, pod("trn-1-1", 7))


def test_old_and_repeated_news_are_none() -> None:
    store = Store()
    store.put(Kind.POD, pod("trn-1-1", 9))
    assert store.put(Kind.POD, pod("trn-1-1", 9)) == []
    assert store.put(Kind.POD, pod("trn-1-1", 8)) == []


def test_what_is_gone_does_not_come_back_by_an_old_list() -> None:
    store = Store()
    store.put(Kind.POD, pod("trn-1-1", 7))
    last = pod("trn-1-1", 8, status={"phase": "Running"})
    assert keys(store.remove(Kind.POD, "trn-1-1", "uid-trn-1-1", last)) == {RUN}
    assert store.put(Kind.POD, pod("trn-1-1", 7)) == []
    assert store.retain(Kind.POD, {"trn-1-1"}, 7) == []
    assert store.pod("trn-1-1") is None
    departed = store.departed_pod("trn-1-1")
    assert departed is not None
    assert departed.phase == "Running"
    assert store.pods_of("uid-trn-1") == []


def test_end_of_a_former_object_does_not_remove_its_successor() -> None:
    store = Store()
    store.put(Kind.POD, pod("trn-1-1", 9, uid="second"))
    assert store.remove(Kind.POD, "trn-1-1", "first", pod("trn-1-1", 8, uid="first")) == []
    assert store.pod("trn-1-1") is not None


def test_list_removes_what_is_older_and_keeps_what_is_newer() -> None:
    store = Store()
    store.put(Kind.POD, pod("a", 5))
    store.put(Kind.POD, pod("b", 20))
    store.retain(Kind.POD, set(), 10)
    assert (store.pod("a"), store.pod("b") is not None) == (None, True)


def test_claimed_pod_touches_the_run_that_names_it() -> None:
    store = Store()
    store.put(Kind.TASK_RUN, item(Kind.TASK_RUN, "trn-1", 5, spec={"podName": "pool-a"}))
    assert "pool-a" in store.claimed()
    assert RUN in keys(store.put(Kind.POD, item(Kind.POD, "pool-a", 6)))
    store.remove(Kind.TASK_RUN, "trn-1", "uid-trn-1")
    assert "pool-a" not in store.claimed()


def test_malformed_object_is_left_out() -> None:
    store = Store()
    broken = item(Kind.TASK_RUN, "trn-1", 5)
    del broken["spec"]["plan"]
    assert store.put(Kind.TASK_RUN, broken) == []
    assert store.task_run("trn-1") is None
