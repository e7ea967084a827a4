"""Time-ordered identifiers: a prefix that names the noun and 20 characters of base32hex.

The layout is xid's (github.com/rs/xid): 4 bytes of seconds, 5 random bytes of this process, 3 bytes of a counter. Ids of one
process sort by creation; ids of different processes sort by second.
"""

from __future__ import annotations

import base64
import itertools
import os
import secrets
import time

RUN, TASK, WORKFLOW, VERSION, KEY, RUNNER = "trn", "tsk", "wfl", "wfv", "key", "rnr"

_process = os.urandom(5)
_counter = itertools.count(int.from_bytes(os.urandom(2), "big"))


def new_id(prefix: str, now: float | None = None) -> str:
    """A fresh identifier such as `trn-d3k1v2c5f0s73a8b9c10`; `now` is in epoch seconds."""
    seconds = int(time.time() if now is None else now)
    raw = seconds.to_bytes(4, "big") + _process + (next(_counter) & 0xFFFFFF).to_bytes(3, "big")
    return f"{prefix}-{base64.b32hexencode(raw)[:20].decode().lower()}"


def new_token() -> str:
    """A secret of 128 bits, as 32 hexadecimal digits."""
    return secrets.token_hex(16)


def attempt_id(run_id: str, number: int) -> str:
    """The identifier of a run's `number`-th attempt (the first is 1); also the name of its Pod."""
    return f"{run_id}-{number}"
