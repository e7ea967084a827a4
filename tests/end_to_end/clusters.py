"""The cluster under test, through kubectl and helm: what a person would type."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).parents[2]
# What this file's programs may take; a cluster on two busy cores is slow.
COMMAND_SECONDS = 180.0

T = TypeVar("T")


class CommandFailed(AssertionError):
    """A program ended with an error; the message has what it said."""


def run(*command: str, stdin: str | None = None, environment: dict[str, str] | None = None) -> str:
    """What a program prints.

    Raises:
        CommandFailed: its exit code is not 0.
    """
    done = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=COMMAND_SECONDS,
        env={**os.environ, **(environment or {})},
    )
    if done.returncode:
        raise CommandFailed(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def eventually(ask: Callable[[], T], seconds: float = 30.0, until: Callable[[T], Any] = bool) -> T:
    """The first answer that `until` accepts; errors of programs count as none.

    Raises:
        AssertionError: there was none within `seconds`; the message has the last answer.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            answer: Any = ask()
            if until(answer):
                accepted: T = answer
                return accepted
        except CommandFailed as error:
            answer = error
        assert time.monotonic() < end, f"not within {seconds:g} s; at last: {answer}"
        time.sleep(0.2)


class Namespace:
    """One namespace of the cluster that KUBECONFIG names."""

    def __init__(self, name: str) -> None:
        self.name = name

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl prints."""
        return run("kubectl", "--namespace", self.name, *arguments, stdin=stdin)

    def get(self, *arguments: str) -> Any:
        """An object, or the objects of a list."""
        found = json.loads(self.kubectl("get", *arguments, "--output", "json"))
        return found["items"] if found["kind"] == "List" else found

    def find(self, kind: str, name: str) -> Any:
        """An object, None if there is none."""
        text = self.kubectl("get", kind, name, "--ignore-not-found", "--output", "json")
        return json.loads(text) if text else None

    def apply(self, *objects: Any) -> None:
        """Write objects as `kubectl apply` does."""
        self.kubectl("apply", "--filename", "-", stdin="\n---\n".join(json.dumps(each) for each in objects))

    def delete(self, *arguments: str) -> None:
        """Delete without waiting for the end."""
        self.kubectl("delete", "--wait=false", *arguments)

    def pods(self, *arguments: str) -> Any:
        """A Pod, or those that match."""
        return self.get("pods", *arguments)

    def names(self, kind: str, *arguments: str) -> set[str]:
        """Names of objects."""
        return {each["metadata"]["name"] for each in self.get(kind, *arguments)}


def condition(found: Any, kind: str) -> dict[str, Any]:
    """One condition of an object's status; empty if it is not there yet."""
    conditions: Sequence[dict[str, Any]] = found.get("status", {}).get("conditions", ())
    return next((each for each in conditions if each["type"] == kind), {})
