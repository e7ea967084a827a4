"""Tasks of the test programs: each takes a `Runner` that has its input, and ends the attempt in its own way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.integration.runner.programs.protocol import Runner, decode, encode


def noop(runner: Runner, *_: Any) -> None:
    runner.succeed(None)


def echo(runner: Runner, *arguments: Any) -> None:
    runner.succeed(list(arguments))


def context(runner: Runner) -> None:
    runner.succeed({name: value for name, value in runner.attempt.items() if name != "input"})


def raises(runner: Runner, retryable: bool = True) -> None:
    runner.fail("it broke\ud800", type="ValueError", stack_trace="Traceback: here", retryable=retryable)


def exits(runner: Runner, status: int) -> None:
    print("last words", file=sys.stderr, flush=True)
    os._exit(status)


def crashes(runner: Runner) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def kills_itself(runner: Runner) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def succeeds_and_dies(runner: Runner) -> None:
    runner.send("POST", "/callback", {"complete": {"output": encode("[7]")}})
    os.kill(os.getpid(), signal.SIGKILL)


def returns_bytes(runner: Runner, size: int) -> None:
    runner.succeed("x" * size)


def returns_text(runner: Runner, text: str) -> None:
    runner.succeed_text(text)


def sleeps(runner: Runner, seconds: float) -> None:
    print("sleeping", flush=True)
    time.sleep(seconds)
    runner.succeed("slept")


def ignores_sigterm(runner: Runner, seconds: float) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sleeps(runner, seconds)


def cleans_up(runner: Runner) -> None:
    def handle(*_: Any) -> None:
        print("cleaned up", flush=True)
        os._exit(0)

    signal.signal(signal.SIGTERM, handle)
    print("ready", flush=True)
    time.sleep(30)


def lingers(runner: Runner, path: str) -> None:
    runner.succeed("early")
    with open(path, "w") as file:
        file.write(str(os.getpid()))
    time.sleep(30)


def says_goodbye(runner: Runner, path: str) -> None:
    """Has something to do after its result, as those have that send what they traced."""
    runner.succeed("early")
    time.sleep(0.2)
    with open(path, "w") as file:
        file.write("goodbye")


def daemonises(runner: Runner, path: str) -> None:
    """A double fork with a session of its own: what a careless library does."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            with open(path, "w") as file:
                file.write(str(os.getpid()))
            time.sleep(30)
        os._exit(0)
    deadline = time.monotonic() + 5
    while not os.path.exists(path) or not os.path.getsize(path):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    runner.succeed("daemon started")


def starts_child(runner: Runner, path: str) -> None:
    child = subprocess.Popen(["sleep", "30"])
    with open(path, "w") as file:
        file.write(str(child.pid))
    os._exit(3)


def prints(runner: Runner, count: int) -> None:
    for number in range(count):
        print(f"line {number}", flush=True)
    print("to stderr", file=sys.stderr, flush=True)
    print("unfinished", end="", flush=True)
    runner.succeed(None)


def prints_much(runner: Runner, count: int) -> None:
    sys.stdout.write("".join(f"line {number}\n" for number in range(count)))
    sys.stdout.flush()
    runner.succeed(None)


def prints_long(runner: Runner, size: int) -> None:
    print("y" * size, flush=True)
    runner.succeed(None)


def uses_memory(runner: Runner, size: int) -> None:
    hold = bytearray(size)
    hold[::4096] = b"z" * len(hold[::4096])
    time.sleep(30)


def parent(runner: Runner, value: int) -> None:
    status, answer = runner.spawn("noop", [value], call_key="first", plan="pro")
    assert status == 200, answer
    again = runner.spawn("noop", [value], call_key="first")[1]
    assert again == answer
    run = answer["task_run_id"]
    while True:
        _, result = runner.request("POST", "/get-subtask-result", {"task_run_id": run, "wait_seconds": 5})
        if not result["still_running"]:
            break
    runner.succeed(result)


def polls(runner: Runner) -> None:
    run = runner.spawn("noop", [])[1]["task_run_id"]
    answers = []
    for _ in range(3):
        answers.append(runner.request("POST", "/get-subtask-result", {"task_run_id": run, "wait_seconds": 0.01})[1])
    runner.request("POST", "/cancel-subtask", {"task_run_id": run})
    runner.succeed(answers)


def fans_out(runner: Runner, count: int) -> None:
    calls = [{"task_name": "noop", "input": "W10=", "call_key": str(number)} for number in range(count)]
    calls.append({"task_name": "refused", "input": "W10="})
    calls.append({"task_name": "", "input": "W10="})
    _, answer = runner.request("POST", "/run-subtasks", {"calls": calls})
    missing = {result["task_run_id"] for result in answer["results"] if "task_run_id" in result}
    errors = [result["error"]["code"] for result in answer["results"] if "error" in result]
    results: dict[str, Any] = {}
    while missing:
        body = {"task_run_ids": sorted(missing), "wait_seconds": 5}
        _, answer = runner.request("POST", "/get-subtask-results", body)
        results |= answer["results"]
        missing -= set(answer["results"])
    runner.succeed(
        {"errors": errors, "count": len(results), "values": [decode(r["complete"]["output"]) for r in results.values()]}
    )


def asks_nonsense(runner: Runner) -> None:
    answers = [
        runner.request("GET", "/nowhere")[0],
        runner.request("POST", "/callback", {"neither": 1})[0],
        runner.request("POST", "/run-subtask", {"task_name": "noop", "input": "%%%"})[0],
        runner.request("POST", "/get-subtask-result", {"task_run_id": "trn-unknown"})[0],
        runner.spawn("noop", ["x" * 5_000_000])[0],
    ]
    runner.succeed(answers)


def closes_connections(runner: Runner) -> None:
    first = runner.request("GET", "/input", close=True)[1]
    runner.succeed(first["attempt"])


TASKS: dict[str, Callable[..., None]] = {
    name: value for name, value in list(globals().items()) if callable(value) and value.__module__ == __name__
}


def carry_out(runner: Runner) -> None:
    answer = runner.input()
    TASKS[answer["task_name"]](runner, *decode(answer["input"]))
