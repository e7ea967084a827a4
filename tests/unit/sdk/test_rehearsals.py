"""Rehearsed attempts leave nothing behind that user code could notice."""

from __future__ import annotations

import asyncio
import os
import signal

from skerry.contexts import active_run
from skerry.runtime import rehearsals


def test_a_rehearsal_leaves_no_run_no_handler_and_no_open_file() -> None:
    files = os.listdir("/proc/self/fd")
    rehearsals.rehearse(with_loop=True)
    assert active_run() is None
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert os.listdir("/proc/self/fd") == files


def test_a_rehearsal_leaves_the_current_event_loop_alone() -> None:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        rehearsals.rehearse(with_loop=True)
        assert asyncio.get_event_loop_policy().get_event_loop() is loop
    finally:
        asyncio.set_event_loop(None)
        loop.close()
