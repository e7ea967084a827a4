import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from skerry.cli import problems, servers, targets
from tests.unit.cli.conftest import Cli
from tests.unit.cli.samples import TIME, a_run, a_task

STAND_IN = Path(__file__).parent / "stand_in"
DEADLINE_SECONDS = 15


class Development:
    """A `skerry dev` in a process of its own, with a stand-in for the server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.lines: list[str] = []
        self.process: subprocess.Popen[str] | None = None

    def write_state(self, **changes: Any) -> None:
        known = {"versions": [{"id": "wfv-1", "status": "ready"}], "tasks": [a_task()], "runs": []}
        path = self.data / "state.json"
        if path.exists():
            known = json.loads(path.read_text())
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(known | changes))
        draft.replace(path)

    def start(self, *arguments: str, failure: str = "") -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        words = [sys.executable, "-m", "skerry.cli", "dev", "--port", str(port), "--data", str(self.data), *arguments]
        path = os.pathsep.join(filter(None, [str(STAND_IN), os.environ.get("PYTHONPATH")]))
        self.process = subprocess.Popen(
            words,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": path, "STAND_IN_FAILURE": failure, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def server(self) -> dict[str, Any]:
        return json.loads((self.data / "started.json").read_text())

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def await_output(self, text: str) -> None:
        until(lambda: text in self.output, f"{text!r} in the output")

    def await_end(self) -> int:
        assert self.process is not None
        status = self.process.wait(DEADLINE_SECONDS)
        self._reader.join(DEADLINE_SECONDS)
        return status

    def send(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.kill()
            self.await_end()

    def _read(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for line in stream:
                self.lines.append(line.rstrip())


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"no {what} in {DEADLINE_SECONDS} s"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.fixture
def development(tmp_path: Path) -> Iterator[Development]:
    (tmp_path / "main.py").write_text("app = object()\n")
    one = Development(tmp_path)
    one.data.mkdir()
    one.write_state()
    yield one
    one.stop()


def test_dev_shows_tasks_and_what_they_print_until_ctrl_c_stops_the_server(development: Development) -> None:
    development.start()
    development.await_output("Ctrl-C stops everything")
    assert "shop/hello" in development.output
    assert "skerry tasks start hello World --url http://127.0.0.1:" in development.output
    assert "curl 'http" in development.output
    echo = {"run": "trn-1", "task": "hello", "attempt": "att-1", "time": TIME.format(2), "stream": "stdout"}
    noise = ["not JSON", json.dumps({"level": "info", "event": "noise"}), json.dumps(["list"])]
    failure = json.dumps({"level": "error", "event": "disk_full", "path": "/data"})
    development.write_state(output=[*noise, failure, json.dumps({**echo, "line": "Saying [hello]"})])
    development.await_output(" hello             Saying [hello]")
    assert 'server: disk_full  {"path": "/data"}' in development.output
    assert "JSON" not in development.output
    assert "noise" not in development.output
    development.send(signal.SIGINT)
    assert development.await_end() == 0
    assert development.lines[-1] == "Stopped."
    assert (development.data / "ended.txt").read_text() == "SIGTERM"
    assert gone(development.server["pid"])


def test_the_server_ends_when_dev_is_killed(development: Development) -> None:
    development.start()
    development.await_output("Ctrl-C stops everything")
    development.send(signal.SIGKILL)
    until(lambda: (development.data / "ended.txt").exists(), "end of the server")
    assert (development.data / "ended.txt").read_text() == "lifeline"


def test_dev_tells_runs_and_reloads(development: Development) -> None:
    development.write_state(runs=[a_run("trn-old")])
    development.start()
    development.await_output("Ctrl-C stops everything")
    development.write_state(runs=[a_run("trn-new", "hello", "running"), a_run("trn-old")])
    development.await_output("▶ hello  started  trn-new")
    development.write_state(runs=[a_run("trn-new", "hello", "failed", error="no luck"), a_run("trn-old")])
    development.await_output("✗ hello  2.2 s  no luck  trn-new")
    broken = {"id": "wfv-2", "status": "registration_failed", "error": "Traceback…\nNameError: name 'x'"}
    development.write_state(versions=[broken, {"id": "wfv-1", "status": "ready"}])
    development.await_output("still serving the last good version")
    assert "NameError: name 'x'" in development.output
    development.write_state(versions=[{"id": "wfv-3", "status": "ready"}, broken], tasks=[a_task(), a_task("fresh")])
    development.await_output("Reloaded  + fresh")
    assert "trn-old" not in development.output


def test_tasks_that_cannot_be_loaded_are_shown_and_waited_for(development: Development) -> None:
    broken = {"id": "wfv-1", "status": "registration_failed", "error": "SyntaxError: oops"}
    development.write_state(versions=[broken], tasks=[])
    development.start()
    development.await_output("Fix it and save")
    assert "SyntaxError: oops" in development.output
    development.write_state(versions=[{"id": "wfv-2", "status": "ready"}, broken], tasks=[a_task()])
    development.await_output("Reloaded  + hello")


@pytest.mark.parametrize(
    ("failure", "told"), [("data_in_use", "keep data elsewhere"), ("crash", "The server ended with status 3")]
)
def test_a_server_that_cannot_start_is_explained(development: Development, failure: str, told: str) -> None:
    development.start(failure=failure)
    assert development.await_end() == 1
    assert told in development.output
    assert "Traceback" not in development.output


@pytest.mark.parametrize(
    ("code", "told"),
    [("port_in_use", "Port 8120 on 127.0.0.1 is in use."), ("insecure_bind", "no keys"), ("other", "no keys")],
)
def test_the_last_words_of_a_server_are_understood(code: str, told: str) -> None:
    fatal = {"event": "fatal", "code": code, "message": "no keys"}
    assert servers.explained(fatal, servers.Launch("main:app")).message == told


def test_options_reach_the_server_and_without_watching_a_failure_ends_dev(development: Development) -> None:
    development.write_state(versions=[{"id": "wfv-1", "status": "registration_failed", "error": "oops"}], tasks=[])
    options = "--workflow shop --capacity 3 --isolation worker --no-watch"
    development.start(*options.split(), "--", "node", "app.js", "--port", "1")
    assert development.await_end() == 1
    assert "oops" in development.output
    assert gone(development.server["pid"])
    arguments = development.server["arguments"]
    assert arguments[0] == "dev"
    assert arguments[arguments.index("--workflow") :] == [
        *["--workflow", "shop", "--isolation", "worker", "--capacity", "3", "--no-watch"],
        *["--", "node", "app.js", "--port", "1"],
    ]


def test_a_port_in_use_is_told_before_anything_starts(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "main.py").write_text("app = 1")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = cli(f"dev --port {port}")
    assert result.exit_code == 1
    assert f"Port {port} on 127.0.0.1 is in use." in result.stderr
    assert f"--port {port + 1}" in result.stderr
    assert not (tmp_path / ".skerry").exists()


@pytest.mark.parametrize(
    ("source", "told"),
    [(None, "no main.py"), ("application = 1", "defines no `app`")],
)
def test_the_default_target_must_exist(tmp_path: Path, source: str | None, told: str) -> None:
    if source is not None:
        (tmp_path / "main.py").write_text(source)
    with pytest.raises(problems.Problem, match=told):
        targets.default_target(tmp_path)


@pytest.mark.parametrize("source", ["app = 1", "app: object = 1", "from tasks import app", "def broken("])
def test_main_py_with_app_is_the_default_target(tmp_path: Path, source: str) -> None:
    (tmp_path / "main.py").write_text(source)
    assert targets.default_target(tmp_path) == "main:app"


@pytest.mark.parametrize("target", ["nope:app", "no/file.py", "not-a-name", ""])
def test_a_mistyped_target_is_a_usage_error(tmp_path: Path, target: str) -> None:
    with pytest.raises(problems.Problem) as caught:
        targets.check(target, tmp_path)
    assert caught.value.exit_status == problems.USAGE


def test_targets_are_modules_packages_or_files(tmp_path: Path) -> None:
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "tasks.py").write_text("")
    for target in ("orders.tasks:app", "orders/tasks.py", "orders/tasks.py:app", "json:app"):
        targets.check(target, tmp_path)


def test_a_server_on_all_interfaces_is_reached_on_this_machine() -> None:
    assert servers.Launch("main:app", host="0.0.0.0").url == "http://127.0.0.1:8120"
    assert servers.Launch("main:app", host="::").url == "http://[::1]:8120"
