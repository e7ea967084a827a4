"""What the tasks of both SDK programs do, free of any SDK."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

VARIABLES = ("RENDER_SDK_MODE", "RENDER_SDK_SOCKET_PATH", "SKERRY_SDK_MODE", "SKERRY_SDK_SOCKET_PATH")


def greeting(name: str, greeting: str, times: int) -> str:
    return " ".join([f"{greeting}, {name}!"] * times)


def surroundings() -> dict[str, Any]:
    return {name: os.environ.get(name) for name in VARIABLES} | {"cwd": Path.cwd().name, "pid": os.getpid()}


def nth_call(folder: str) -> int:
    """How often this was called with `folder`, this time included; processes share the count through files."""
    number = len(list(Path(folder).glob("call-*"))) + 1
    (Path(folder) / f"call-{number}").touch()
    return number


def fail_until(folder: str, failures: int) -> int:
    number = nth_call(folder)
    if number <= failures:
        raise RuntimeError(f"failure {number}")
    return number


def leave_pid(folder: str) -> None:
    (Path(folder) / f"pid-{os.getpid()}").touch()


def leave(how: str) -> None:
    """End this process without a result."""
    print(f"leaving by {how}", file=sys.stderr, flush=True)
    if how == "sys.exit":
        sys.exit(4)
    if how == "os._exit":
        os._exit(3)
    os.kill(os.getpid(), getattr(signal, how))
    time.sleep(10)


def linger() -> dict[str, int]:
    """Leave a thread and a child process behind that would keep running after the result was sent."""
    threading.Thread(target=time.sleep, args=(120,)).start()
    child = subprocess.Popen(["sleep", "120"])
    return {"pid": os.getpid(), "child": child.pid}


def speak(line: str) -> None:
    print(f"out {line}", flush=True)
    print(f"err {line}", file=sys.stderr, flush=True)
