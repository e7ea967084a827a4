"""A published SDK's client, running in its own environment and process."""

import itertools
import json
import subprocess
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any

from .environments import clean_variables
from .servers import PROGRAMS

STOP_SECONDS = 10.0


class SdkError(Exception):
    """The SDK's client raised an exception; `kind` is its class name and `code` the attribute of that name."""

    def __init__(self, kind: str, message: str, code: str | None) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind, self.message, self.code = kind, message, code


class SdkClient:
    """Drives `programs/driver.py`: a JSON request a line in, a JSON answer a line out, several at once."""

    def __init__(self, python: Path, package: str, variables: Mapping[str, str], log: Path) -> None:
        self._command = [str(python), str(PROGRAMS / "driver.py"), package]
        self._variables = {**clean_variables(), **variables}
        self._log = log
        self._answers: dict[int, Future[Any]] = {}
        self._numbers = itertools.count()
        self._writing = threading.Lock()

    def __enter__(self) -> "SdkClient":
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command, env=self._variables, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(STOP_SECONDS)
        self._process.stdout.close()

    def submit(self, operation: str, **arguments: Any) -> "Future[Any]":
        """Begin `operation`; the future raises `SdkError` where the SDK raised."""
        assert self._process.stdin
        number = next(self._numbers)
        answer: Future[Any] = Future()
        self._answers[number] = answer
        request = json.dumps({"number": number, "operation": operation, "arguments": arguments})
        with self._writing:
            self._process.stdin.write(request + "\n")
            self._process.stdin.flush()
        return answer

    def call(self, operation: str, seconds: float = 30.0, **arguments: Any) -> Any:
        """Do `operation` and return what the SDK returned, as JSON."""
        return self.submit(operation, **arguments).result(seconds)

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            message = json.loads(line)
            answer = self._answers.pop(message["number"])
            if "error" in message:
                answer.set_exception(SdkError(**message["error"]))
            else:
                answer.set_result(message["value"])
        for answer in self._answers.values():
            answer.set_exception(RuntimeError(f"the client process ended:\n{self._log.read_text()[-2000:]}"))
