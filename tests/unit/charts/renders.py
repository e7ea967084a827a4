"""Charts rendered by helm, as lists of objects."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts" / "skerry"
RELEASE = "skerry"
NAMESPACE = "platform"

# The same as yaml.SafeLoader, ten times as fast.
_LOADER = yaml.CSafeLoader


class Refused(Exception):
    """Helm did not render; the text says why."""


class Rendered(list[Json]):
    """The objects of a rendered chart."""

    def all(self, kind: str) -> list[Json]:
        """Every object of a kind."""
        return [item for item in self if item["kind"] == kind]

    def one(self, kind: str, name: str) -> Json:
        """The object of a kind with this name."""
        (found,) = [item for item in self.all(kind) if item["metadata"]["name"] == name]
        return found

    def has(self, kind: str, name: str) -> bool:
        """Whether there is such an object."""
        return any(item["metadata"]["name"] == name for item in self.all(kind))

    def pods(self) -> Iterator[tuple[str, Json, Json]]:
        """Every Pod, or template of one: a name to tell it by, its metadata and its spec."""
        for item in self:
            if item["kind"] == "Pod":
                yield f"Pod/{item['metadata']['name']}", item["metadata"], item["spec"]
            elif "template" in item.get("spec", {}):
                template = item["spec"]["template"]
                yield f"{item['kind']}/{item['metadata']['name']}", template["metadata"], template["spec"]


def containers(pod: Mapping[str, Any]) -> list[Json]:
    """Every container of a Pod's spec."""
    return [*pod.get("initContainers", ()), *pod["containers"]]


def environment(container: Mapping[str, Any]) -> dict[str, Any]:
    """Its variables by name: a value, or where one comes from."""
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container.get("env", ())}


class Helm:
    """Runs helm on the chart, without a cluster."""

    def __init__(self, program: Path, home: Path) -> None:
        """`home` is an empty folder for what helm keeps."""
        self._program = program
        self._environment = {"PATH": os.defpath, "HOME": str(home), "KUBECONFIG": str(home / "none")}

    def run(self, *arguments: str) -> str:
        """What helm printed.

        Raises:
            Refused: it ended with an error.
        """
        command = [str(self._program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=self._environment)
        if done.returncode:
            raise Refused(done.stdout + done.stderr)
        return done.stdout

    def render(self, *settings: str, values: Sequence[Path] = (), kubernetes: str = "1.34.0") -> Rendered:
        """The chart with values from files and settings such as `postgres.enabled=false`."""
        options = [option for path in values for option in ("--values", str(path))]
        options += [option for setting in settings for option in ("--set-json", setting)]
        place = ["--namespace", NAMESPACE, "--kube-version", kubernetes]
        return _read(self.run("template", RELEASE, str(CHART), *place, *options))

    def render_with(self, kubeconfig: Path) -> Rendered:
        """The chart as an upgrade of what is in a cluster."""
        options = ["--dry-run=server", "--disable-openapi-validation", "--is-upgrade", "--kubeconfig", str(kubeconfig)]
        return _read(self.run("template", RELEASE, str(CHART), "--namespace", NAMESPACE, *options))


def _read(text: str) -> Rendered:
    return Rendered(item for item in yaml.load_all(text, Loader=_LOADER) if item)
