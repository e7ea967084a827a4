"""A program that speaks the socket protocol itself: what another language's SDK, or a careless one, would send."""

import base64
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

SOCKET = os.environ["RENDER_SDK_SOCKET_PATH"]
TELEMETRY = "?sdk_import_started_at=1795385237661743235&sdk_import_finished_at=1795385237696561690&unknown=1"
DONE = object()
TASKS: dict[str, Callable[..., Any]] = {}


def task(function: Callable[..., Any]) -> Callable[..., Any]:
    TASKS[function.__name__] = function
    return function


class UnixConnection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = raw_connection()


def raw_connection() -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(15)
    connection.connect(SOCKET)
    return connection


def ask(method: str, path: str, body: Any = None, **more: Any) -> dict[str, Any]:
    """One request on a connection of its own; `more` goes to http.client."""
    connection = UnixConnection("localhost")
    try:
        return ask_on(connection, method, path, body, **more)
    finally:
        connection.close()


def ask_on(connection: UnixConnection, method: str, path: str, body: Any = None, **more: Any) -> dict[str, Any]:
    text = json.dumps(body).encode() if isinstance(body, dict) else body
    started = time.monotonic()
    connection.request(method, path, body=text, headers={"Content-Type": "application/json"}, **more)
    response = connection.getresponse()
    content = response.read()
    return {
        "status": response.status,
        "headers": {name.lower(): value for name, value in response.getheaders()},
        "body": decoded(content),
        "seconds": time.monotonic() - started,
    }


def decoded(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode(errors="replace")


def encoded(value: Any) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def spawn(name: str, *arguments: Any, **fields: Any) -> dict[str, Any]:
    return ask("POST", "/run-subtask", {"task_name": name, "input": encoded(list(arguments)), **fields})


def spawned(name: str, *arguments: Any, **fields: Any) -> str:
    return str(spawn(name, *arguments, **fields)["body"]["task_run_id"])


def result_of(run: str, **fields: Any) -> dict[str, Any]:
    return ask("POST", "/get-subtask-result", {"task_run_id": run, **fields})


def call_back(**outcome: Any) -> dict[str, Any]:
    return ask("POST", "/callback", outcome)


# Children


@task
def double(number: int) -> int:
    return number * 2


@task
def nap(seconds: float) -> float:
    time.sleep(seconds)
    return time.time()


# Ways to end


@task
def void() -> object:
    """TypeScript's encoding of a function that returns nothing."""
    call_back(complete={"output": ""})
    return DONE


@task
def raw_output(text: str) -> object:
    """Send `text` as the result, JSON or not."""
    call_back(complete={"output": base64.b64encode(text.encode()).decode()})
    return DONE


@task
def bare_error() -> object:
    call_back(error={"details": "boom", "stack_trace": "at by_hand:1"})
    return DONE


@task
def says_nothing() -> object:
    """Neither a result nor an error."""
    call_back()
    return DONE


@task
def calls_back_twice() -> object:
    call_back(complete={"output": encoded(["first"])})
    call_back(complete={"output": encoded(["second"])})
    return DONE


@task
def forgets() -> object:
    """Leave with status 0 and no callback."""
    return DONE


@task
def leaves_a_child_behind() -> dict[str, int]:
    return {"child": subprocess.Popen(["sleep", "120"]).pid}


@task
def refused_callbacks() -> dict[str, Any]:
    """Callbacks that cannot be read must not end the attempt."""
    bodies: dict[str, Any] = {"not json": b"{", "not base64": {"complete": {"output": "%%%"}}}
    return {name: ask("POST", "/callback", body) for name, body in bodies.items()}


# The socket itself


@task
def asks_again(*_: Any) -> dict[str, Any]:
    """GET /input is repeatable, also with the telemetry query."""
    return {"first": ask("GET", "/input"), "again": ask("GET", f"/input{TELEMETRY}")}


@task
def keeps_alive() -> dict[str, Any]:
    """Several requests on one connection, the second with a head and a body sent apart."""
    connection = UnixConnection("localhost")
    first = ask_on(connection, "GET", "/input")
    used = connection.sock
    body = json.dumps({"task_name": "double", "input": encoded([4])}).encode()
    connection.putrequest("POST", "/run-subtask")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders()
    time.sleep(0.1)
    connection.send(body[:10])
    time.sleep(0.1)
    connection.send(body[10:])
    second = json.loads(connection.getresponse().read())
    third = ask_on(connection, "POST", "/get-subtask-result", second)
    same = connection.sock is used
    connection.close()
    return {"first": first["status"], "second": second, "third": third, "same_connection": same}


@task
def closes() -> dict[str, Any]:
    """`Connection: close` is honoured: the server ends the connection after its answer."""
    with raw_connection() as connection:
        connection.sendall(b"GET /input HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return {"head": answer.partition(b"\r\n\r\n")[0].decode()}


@task
def sends_chunks() -> dict[str, Any]:
    """A request body with `Transfer-Encoding: chunked`."""
    body = json.dumps({"task_name": "double", "input": encoded([5])}).encode()
    started = ask("POST", "/run-subtask", iter([body[:7], body[7:]]), encode_chunked=True)
    return result_of(started["body"]["task_run_id"])


@task
def bad_requests() -> dict[str, Any]:
    return {
        "not json": ask("POST", "/run-subtask", b"{nonsense"),
        "no task": ask("POST", "/run-subtask", {"input": encoded([])}),
        "not base64": ask("POST", "/run-subtask", {"task_name": "double", "input": "%%%"}),
        "not a list": ask("POST", "/run-subtask", {"task_name": "double", "input": encoded(5)}),
        "unknown task": spawn("no_such_task"),
        "unknown run": result_of("trn-00000000000000000000"),
        "unknown path": ask("GET", "/no-such-path"),
        "wrong method": ask("GET", "/callback"),
    }


# Subtasks


@task
def same_key() -> dict[str, Any]:
    pinned = {
        "idempotency_key": "6b2f1f7a-6a0e-4f6f-9d1a-2b1d0d5f6c11",
        "created_at": "2026-11-22T22:07:49.075284+00:00",
    }
    other = {**pinned, "idempotency_key": "7c3a2a8b-7b1f-4a70-8e2b-3c2e1e6a7d22"}
    with ThreadPoolExecutor(4) as pool:
        same = [call.result() for call in [pool.submit(spawned, "double", n, **pinned) for n in range(4)]]
    return {"same": same, "other": spawned("double", 9, **other), "without": [spawned("double", 1) for _ in range(2)]}


@task
def polls(seconds: float) -> dict[str, Any]:
    """A poll without `wait_seconds` is held until the child ends."""
    child = spawned("nap", seconds)
    held = result_of(child)
    answered = time.time()
    (ended,) = json.loads(base64.b64decode(held["body"]["complete"]["output"]))
    return {"held": held, "late": answered - ended, "again": result_of(child)}


@task
def polls_without_waiting() -> dict[str, Any]:
    child = spawned("nap", 1.5)
    return {"now": result_of(child, wait_seconds=0), "later": result_of(child)}


@task
def watches_endings() -> dict[str, Any]:
    return {name: result_of(spawned(name)) for name in ("bare_error", "void")}


@task
def leaves_out_the_input() -> dict[str, Any]:
    started = ask("POST", "/run-subtask", {"task_name": "void"})
    return result_of(started["body"]["task_run_id"])


@task
def polls_in_parallel() -> dict[str, Any]:
    """Several held polls at once on one socket."""
    children = [spawned("nap", 0.5) for _ in range(5)]
    with ThreadPoolExecutor(len(children)) as pool:
        return {"answers": list(pool.map(result_of, children))}


def register() -> None:
    """As TypeScript does: no `options` without any, no `factor`, no `parameters`."""
    tasks: list[dict[str, Any]] = [{"name": name} for name in TASKS]
    tasks[0]["options"] = {"retry": {"max_retries": 1, "wait_duration_ms": 100}, "timeout_seconds": 45}
    for ending in ("bare_error", "says_nothing", "forgets", "raw_output"):
        next(one for one in tasks if one["name"] == ending)["options"] = {
            "retry": {"max_retries": 0, "wait_duration_ms": 0}
        }
    answer = ask("POST", "/register-tasks", {"tasks": tasks})
    sys.exit(0 if answer["status"] == 200 else 1)


def run() -> None:
    assignment = ask("GET", "/input")["body"]
    result = TASKS[assignment["task_name"]](*json.loads(base64.b64decode(assignment["input"])))
    if result is not DONE:
        call_back(complete={"output": encoded([result])})


if __name__ == "__main__":
    {"register": register, "run": run}[os.environ["RENDER_SDK_MODE"]]()
