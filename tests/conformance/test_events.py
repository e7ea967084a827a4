"""Server-sent events: one `task.completed` for each run asked for, whatever its outcome, then the end of the stream."""

from pathlib import Path

import pytest

from .conftest import Sdk
from .servers import payload


def test_a_finished_run_is_replayed(sdk: Sdk) -> None:
    details = sdk.run("square", [5])
    (event,) = sdk.server.events(f"taskRunIds={details['id']}")
    assert event["event"] == "task.completed"
    assert event["id"]
    assert payload(event) == sdk.server.get(details["id"])
    assert (
        sdk.client.call("events", runs=[details["id"]])
        == sdk.client.call("events_sync", runs=[details["id"]])
        == [details]
    )


@pytest.mark.parametrize("query", ["taskRunIds={0}&taskRunIds={1}", "taskRunIds={0},{1}", "taskRunIds={0}%2C{1}"])
def test_both_spellings_of_several_runs(latest: Sdk, query: str) -> None:
    runs = [latest.server.start("square", [number]) for number in (2, 3)]
    events = latest.server.events(query.format(*runs))
    assert {payload(event)["id"]: payload(event)["results"] for event in events} == {runs[0]: [4], runs[1]: [9]}
    assert len(events) == 2


def test_the_same_run_twice_is_one_event(latest: Sdk) -> None:
    run = latest.server.start("square", [2])
    assert len(latest.server.events(f"taskRunIds={run}&taskRunIds={run}")) == 1


def test_failed_and_canceled_runs_complete_too(latest: Sdk) -> None:
    failed = latest.server.start("fails", ["no luck"])
    canceled = latest.server.start("retries_much_later")
    latest.server.cancel(canceled)
    events = latest.server.events(f"taskRunIds={failed}&taskRunIds={canceled}")
    assert {event["event"] for event in events} == {"task.completed"}
    assert {payload(event)["id"]: payload(event)["status"] for event in events} == {
        failed: "failed",
        canceled: "canceled",
    }
    assert not payload(next(event for event in events if payload(event)["id"] == canceled)).get("error")


def test_a_failed_attempt_is_no_event(latest: Sdk, tmp_path: Path) -> None:
    run = latest.server.start("flaky", [str(tmp_path), 2])
    (event,) = latest.server.events(f"taskRunIds={run}")
    assert (payload(event)["status"], payload(event)["results"]) == ("succeeded", [3])


def test_data_survives_being_cut_anywhere(latest: Sdk) -> None:
    """The SDKs decode chunk by chunk and drop a character cut in two, so the stream has to be ASCII."""
    text = "世界" * 20_000
    assert latest.value("echo", [text]) == text


def test_an_event_comes_as_soon_as_the_run_ends(latest: Sdk) -> None:
    waiting = [latest.client.submit("run_async", task="conformance/square", input=[number]) for number in range(6)]
    assert [call.result(20)["results"] for call in waiting] == [[number**2] for number in range(6)]


@pytest.mark.parametrize(
    ("query", "status"), [("", 400), ("taskRunIds=", 400), ("taskRunIds=trn-00000000000000000000", 404)]
)
def test_bad_subscriptions(latest: Sdk, query: str, status: int) -> None:
    answer = latest.server.rest.get(f"/task-runs/events?{query}")
    assert answer.status_code in {status, 422 if status == 400 else status}
    assert answer.json()["message"]
