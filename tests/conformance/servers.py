"""A development server of Skerry, running one program's tasks."""

import json
import os
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from .environments import BIN, clean_variables
from .waiting import eventually

WORKFLOW = "conformance"
PROGRAMS = Path(__file__).parent / "programs"
CAPACITY = 4
START_SECONDS = 45.0
STOP_SECONDS = 15.0
TERMINAL = {"succeeded", "completed", "failed", "canceled"}


class DevServer:
    """`skerry-api dev … -- COMMAND` on a free port, with its data in a folder of its own."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "server.log"
        self.rest = httpx.Client(base_url=f"{self.url}/v1", timeout=30.0)
        self._arguments = [
            *(str(BIN / "skerry-api"), "dev", "--host", "127.0.0.1", "--port", str(self.port), "--no-watch"),
            *("--data", str(folder / "data"), "--workflow", WORKFLOW, "--workdir", str(PROGRAMS)),
            *("--capacity", str(CAPACITY)),
        ]
        self._command = list(command)

    def __enter__(self) -> "DevServer":
        # The server leaves when this pipe closes, so it cannot outlive the tests even if they are killed.
        lifeline, self._lifeline = os.pipe()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*self._arguments, "--lifeline-fd", str(lifeline), "--", *self._command],
                env=clean_variables(),
                pass_fds=[lifeline],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        os.close(lifeline)
        try:
            eventually(self._has_tasks, START_SECONDS, pause=0.1)
        except BaseException as error:
            self.__exit__(None, None, None)
            raise RuntimeError(f"the server did not become ready:\n{self.log_tail()}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.rest.close()
        os.close(self._lifeline)
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise

    def log_tail(self, characters: int = 4000) -> str:
        """The end of what the server wrote."""
        return self.log.read_text(errors="replace")[-characters:]

    def _has_tasks(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"the server exited with status {self._process.returncode}")
        try:
            answer = self.rest.get("/tasks")
        except httpx.TransportError:
            return False
        return answer.status_code == 200 and bool(answer.json())

    def start(self, task: str, input: Any = None, **options: Any) -> str:
        """Trigger `task` and return the run's id."""
        body = {"task": f"{WORKFLOW}/{task}", "input": [] if input is None else input, **options}
        answer = self.rest.post("/task-runs", json=body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def get(self, run: str) -> dict[str, Any]:
        """The run's details now."""
        answer = self.rest.get(f"/task-runs/{run}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def cancel(self, run: str) -> None:
        """Cancel the run and what hangs below it."""
        answer = self.rest.delete(f"/task-runs/{run}")
        assert answer.status_code == 204, answer.text

    def with_status(self, run: str, *statuses: str, seconds: float = 15.0) -> dict[str, Any]:
        """The run's details as soon as its status is one of `statuses`."""

        def probe() -> dict[str, Any] | None:
            details = self.get(run)
            assert details["status"] in statuses or details["status"] not in TERMINAL, details
            return details if details["status"] in statuses else None

        return eventually(probe, seconds)

    def finished(self, run: str, seconds: float = 20.0) -> dict[str, Any]:
        """The run's details as soon as it is terminal."""
        return self.with_status(run, *TERMINAL, seconds=seconds)

    def outcome(self, task: str, input: Any = None, **options: Any) -> dict[str, Any]:
        """Trigger `task` and return its details once it is terminal."""
        return self.finished(self.start(task, input, **options))

    def runs(self, **filters: Any) -> list[dict[str, Any]]:
        """The runs matching `filters`, one page."""
        answer = self.rest.get("/task-runs", params=filters)
        assert answer.status_code == 200, answer.text
        return [item["taskRun"] for item in answer.json()]

    def events(self, query: str, seconds: float = 20.0) -> list[dict[str, str]]:
        """Every event of an SSE stream until the server closes it, as field → value."""
        events: list[dict[str, str]] = []
        with self.rest.stream("GET", f"/task-runs/events?{query}", timeout=seconds) as stream:
            assert stream.status_code == 200
            assert stream.headers["content-type"].split(";")[0] == "text/event-stream"
            text = b"".join(stream.iter_raw()).decode("ascii")
        for block in text.replace("\r\n", "\n").split("\n\n"):
            fields = [line.partition(":") for line in block.split("\n") if line and not line.startswith(":")]
            if any(name == "data" for name, _, _ in fields):
                assert len({name for name, _, _ in fields}) == len(fields), f"a field is repeated: {block[:300]}"
                events.append({name: value.strip() for name, _, value in fields})
        return events


def payload(event: dict[str, str]) -> dict[str, Any]:
    """The run an SSE event carries."""
    return dict(json.loads(event["data"]))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
