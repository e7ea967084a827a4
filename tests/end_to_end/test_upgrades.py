"""Upgrades of the release while runs come in all the time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from tests.end_to_end.installations import Installation


def test_a_rolling_upgrade_under_load(skerry: Installation) -> None:
    over = threading.Event()
    started: list[str] = []

    def keep_starting() -> None:
        while not over.is_set():
            key = f"load-{len(started)}"
            started.append(skerry.start("faults/quick", len(started), idempotency_key=key).id)
            time.sleep(0.4)

    before = skerry.start("faults/fan_out", 2, 20).id
    skerry.begun(before)
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(keep_starting)
        try:
            skerry.upgrade(
                "--set-string",
                "controlPlane.podAnnotations.release=2",
                "--set-string",
                "operator.podAnnotations.release=2",
            )
        finally:
            over.set()
        load.result()
    assert len(started) > 10
    for run_id in [before, *started]:
        done = skerry.finished(run_id, 120)
        assert (done.status, len(done.attempts)) == ("succeeded", 1), done
