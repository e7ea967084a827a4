"""What a run reports about the exception that ended it."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import Any

import skerry
from skerry.errors import InvalidInput, NonRetryable, TaskRunError

_OUR_FOLDER = os.path.dirname(os.path.abspath(skerry.__file__)) + os.sep
LONGEST_STACK_TRACE = 64_000
_MACHINERY = ("<frozen importlib", "<frozen runpy", importlib.__file__)


def failure_of(error: BaseException) -> dict[str, Any]:
    """The `error` object of a callback: details, type, stack trace, and whether a retry can help."""
    failure: dict[str, Any] = {
        "details": _message(error),
        "type": type(error).__name__,
        "stack_trace": stack_trace(error)[-LONGEST_STACK_TRACE:],
    }
    if _is_final(error):
        failure["retryable"] = False
    return failure


def _message(error: BaseException) -> str:
    if isinstance(error, TaskRunError):
        return error.summary
    if isinstance(error, BaseExceptionGroup):
        return f"{error}: " + "; ".join(f"{type(leaf).__name__}: {_message(leaf)}" for leaf in error.exceptions)
    return str(error) or type(error).__name__


def _is_final(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_is_final(leaf) for leaf in error.exceptions)
    return isinstance(error, NonRetryable | InvalidInput)


def complain(text: str) -> None:
    """Tell whoever reads this process's stderr."""
    sys.stderr.write(text.rstrip("\n") + "\n")
    sys.stderr.flush()


def stack_trace(error: BaseException) -> str:
    """The traceback as Python prints it, without the frames of this package and of the import system."""
    described = traceback.TracebackException.from_exception(error)
    _trim(described)
    return "".join(described.format())


def _trim(described: traceback.TracebackException) -> None:
    described.stack[:] = [frame for frame in described.stack if not _is_ours(frame.filename)]
    for linked in (described.__cause__, described.__context__, *(getattr(described, "exceptions", None) or ())):
        if linked is not None:
            _trim(linked)


def _is_ours(filename: str) -> bool:
    return filename.startswith(_OUR_FOLDER) or filename.startswith(_MACHINERY)
