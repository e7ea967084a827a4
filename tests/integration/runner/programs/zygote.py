"""A zygote in a few lines: speaks both the fork protocol and the socket protocol.

Modes by SKERRY_SDK_MODE: zygote, run (one attempt, fresh), register. SKERRY_TEST_IMPORT=fail makes the "import" fail.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import select
import signal
import socket
import sys

from tests.integration.runner.programs import tasks
from tests.integration.runner.programs.protocol import Runner

PR_SET_CHILD_SUBREAPER = 36
libc = ctypes.CDLL(None)


def child(slot_path: str, stdout: int, stderr: int) -> None:
    os.setsid()
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    for number in (null, stdout, stderr):
        os.close(number)
    os.environ["SKERRY_SDK_SOCKET_PATH"] = slot_path
    os.environ["SKERRY_SDK_MODE"] = "run"
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    tasks.carry_out(Runner())
    sys.stdout.flush()
    os._exit(0)


def kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def orphans(known: set[int]) -> set[int]:
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return set(map(int, file.read().split())) - known


def bury(known: set[int]) -> None:
    while strays := orphans(known):
        for pid in strays:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def zygote() -> None:
    try:
        serve_forks()
    except (BrokenPipeError, ConnectionResetError):
        os._exit(0)


def serve_forks() -> None:
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    runner = socket.socket(fileno=int(os.environ.pop("SKERRY_ZYGOTE_FD")))
    if os.environ.get("SKERRY_TEST_IMPORT") == "fail":
        error = {"type": "ModuleNotFoundError", "message": "No module named 'nothing'", "stack_trace": "Traceback …"}
        runner.send(json.dumps({"type": "failed", "error": error}).encode())
        sys.exit(1)
    runner.send(json.dumps({"type": "ready", "import_seconds": 0.01}).encode())
    gc.collect()
    gc.freeze()
    wake, waker = socket.socketpair()
    wake.setblocking(False)
    waker.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker.fileno())
    children: dict[int, int] = {}
    poll = select.poll()
    poll.register(runner, select.POLLIN)
    poll.register(wake, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == wake.fileno():
                wake.recv(4096)
                reap(runner, children)
                continue
            data, fds, _, _ = socket.recv_fds(runner, 65536, 16)
            if not data:
                for pid in children:
                    kill_group(pid)
                os._exit(0)
            message = json.loads(data)
            for number, (slot, path) in enumerate(message["slots"]):
                outputs = fds[2 * number : 2 * number + 2]
                pid = os.fork()
                if pid == 0:
                    for fd in set(fds).difference(outputs):
                        os.close(fd)
                    wake.close()
                    waker.close()
                    runner.close()
                    child(path, *outputs)
                children[pid] = slot
                runner.send(json.dumps({"type": "forked", "slot": slot, "pid": pid}).encode())
            for fd in fds:
                os.close(fd)


def reap(runner: socket.socket, children: dict[int, int]) -> None:
    while True:
        info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) if children else None
        if info is None:
            return
        pid = info.si_pid
        if pid not in children:
            os.waitpid(pid, 0)
            continue
        kill_group(pid)
        _, status, usage = os.wait4(pid, 0)
        slot = children.pop(pid)
        bury(set(children))
        message = {
            "type": "exited",
            "slot": slot,
            "pid": pid,
            "status": status,
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "max_rss_bytes": usage.ru_maxrss * 1024,
        }
        runner.send(json.dumps(message).encode())


def register() -> None:
    print("looking for tasks", file=sys.stderr, flush=True)
    if os.environ.get("SKERRY_TEST_IMPORT") == "fail":
        import nothing  # noqa: F401
    Runner().request("POST", "/register-tasks", {"tasks": [{"name": "noop", "options": {}, "parameters": []}]})


if __name__ == "__main__":
    mode = os.environ["SKERRY_SDK_MODE"]
    if mode == "zygote":
        zygote()
    elif mode == "register":
        register()
    else:
        tasks.carry_out(Runner())
