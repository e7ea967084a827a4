"""Signal handlers, set without turning numbers into enums and back.

`signal.signal` returns the handler it replaces as a member of an enum. Where that handler is a function the conversion
fails inside, which in a forked process costs as much as half of the fork.
"""

from __future__ import annotations

import importlib
import signal
from collections.abc import Callable
from types import FrameType

Handler = Callable[[int, FrameType | None], object]

_set: Callable[[int, Handler | int], object] = importlib.import_module("_signal").signal
_DEFAULT = int(signal.SIG_DFL)


def handle(signum: signal.Signals, handler: Handler) -> None:
    """Have `handler` called when the signal comes."""
    _set(signum, handler)


def restore(signum: signal.Signals) -> None:
    """Have the signal do what the system makes of it."""
    _set(signum, _DEFAULT)
