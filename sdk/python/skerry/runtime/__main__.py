"""`python -m skerry.runtime TARGET`: what the runner starts."""

from __future__ import annotations

import os
import sys

from skerry.apps import Workflows
from skerry.errors import ConfigurationError
from skerry.runtime.failures import complain, stack_trace
from skerry.runtime.targets import load_target

_MODES = ("zygote", "run", "worker", "register")


def main(arguments: list[str]) -> int:
    """Do what SKERRY_SDK_MODE says; the exit status."""
    if len(arguments) != 1:
        complain("usage: python -m skerry.runtime module:attribute | path/to/main.py[:attribute]")
        return 2
    try:
        return _run(arguments[0], _setting("SKERRY_SDK_MODE"))
    except ConfigurationError as error:
        complain(f"skerry: {error}")
        return 1


def _run(target: str, mode: str) -> int:
    if mode not in _MODES:
        raise ConfigurationError(f"SKERRY_SDK_MODE must be one of {', '.join(_MODES)}, got {mode!r}")
    # Lines reach the runner when they are written, not when a buffer is full.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    if mode == "zygote":
        from skerry.runtime import zygotes

        return zygotes.serve(lambda: load_target(target), int(_setting("SKERRY_ZYGOTE_FD")))
    path = _setting("SKERRY_SDK_SOCKET_PATH")
    if mode == "worker":
        from skerry.runtime import workers

        return workers.serve(lambda: _loaded(target), path)
    if mode == "register":
        from skerry.runtime import registrations

        registrations.register(_loaded(target), path)
        return 0
    from skerry.runtime import attempts

    try:
        app = load_target(target)
    except (Exception, SystemExit) as error:
        complain(stack_trace(error))
        return attempts.refuse(path, error)
    return attempts.serve(app, path)


def _loaded(target: str) -> Workflows:
    try:
        return load_target(target)
    except ConfigurationError:
        raise
    except Exception as error:
        complain(stack_trace(error))
        raise ConfigurationError(f"{target} cannot be imported") from error


def _setting(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise ConfigurationError(f"{name} is not set; this program is meant to be started by a Skerry runner")
    return value


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
