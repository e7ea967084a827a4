"""Skerry as the chart installs it, and what the tests do with it: deploy, start, look into the record."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from skerry import Client
from skerry.models import Run
from tests.end_to_end.clusters import ROOT, CommandFailed, Namespace, eventually, run
from tests.ledgers import ATTEMPTS, RUNS, Ledger

RELEASE = "skerry"
NAMESPACE = "skerry"
TASKS_NAMESPACE = "skerry-tasks"
VOLUME = "skerry-end-to-end"
VALUES = Path(__file__).with_name("values.yaml")
CHART = ROOT / "charts" / "skerry"
# A snapshot of both, as one JSON document.
_RECORD = (
    f"SELECT json_build_object('runs', (SELECT coalesce(json_agg(to_json(r)), '[]') FROM ({RUNS}) r),"
    f" 'attempts', (SELECT coalesce(json_agg(to_json(a)), '[]') FROM ({ATTEMPTS}) a))"
)


class Installation:
    """A release of the chart, and a client of its REST interface."""

    def __init__(self) -> None:
        self.own = Namespace(NAMESPACE)
        self.tasks = Namespace(TASKS_NAMESPACE)
        self.ledger = Ledger()
        self.url = ""
        self.key = ""

    def upgrade(self, *arguments: str) -> str:
        """Install the chart, or upgrade the release, and wait until everything is ready."""
        command = ["helm", "upgrade", "--install", RELEASE, str(CHART), "--namespace", NAMESPACE]
        return run(*command, "--values", str(VALUES), "--wait", "--timeout", "170s", *arguments)

    def find(self) -> None:
        """Learn the address and the key, as the chart's notes say."""
        secret = self.own.get("secret", "skerry-admin-key")
        self.key = base64.b64decode(secret["data"]["api-key"]).decode()
        self.url = os.environ.get("SKERRY_TEST_URL") or self._address()

    def _address(self) -> str:
        service = self.own.get("service", "skerry-control-plane")["spec"]
        if os.environ.get("CLUSTER") == "modules":
            return f"http://{service['clusterIP']}:{service['ports'][0]['port']}"
        node = self.own.get("nodes")[0]["status"]["addresses"]
        address = next(each["address"] for each in node if each["type"] == "InternalIP")
        return f"http://{address}:{service['ports'][0]['nodePort']}"

    @contextmanager
    def client(self) -> Iterator[Client]:
        """A client with the first key."""
        with Client(self.url, self.key) as client:
            yield client

    def cli(self, *arguments: str) -> str:
        """What the command line prints."""
        environment = {"SKERRY_URL": self.url, "SKERRY_API_KEY": self.key, "COLUMNS": "160"}
        return run(str(ROOT / ".venv" / "bin" / "skerry"), *arguments, environment=environment)

    def deploy(self, workflow: str, image: str) -> str:
        """Release an image of `tests/cluster/images` and wait until it is ready."""
        return self.cli("deploy", workflow, "--image", f"localhost/skerry-{image}:dev", "--wait")

    def start(self, task: str, *arguments: Any, **options: Any) -> Run:
        """Start a run; it has been promised from now on."""
        with self.client() as client:
            started: Run = client.runs.create(task, arguments, **options)
        self.ledger.accepted.add(started.id)
        return started

    def show(self, run_id: str) -> Run:
        """A run as it is now."""
        with self.client() as client:
            found: Run = client.runs.get(run_id)
        return found

    def begun(self, run_id: str, seconds: float = 60.0) -> Run:
        """A run, once user code runs."""
        return eventually(lambda: self.show(run_id), seconds, lambda found: found.status in ("running", "paused"))

    def told(self, run_id: str) -> tuple[str, str | None]:
        """Phase and reason of a run's TaskRun, once its Pod is over."""
        over = ("Succeeded", "Failed", "Canceled")
        status = eventually(
            lambda: self.tasks.get("taskrun", run_id).get("status", {}), until=lambda found: found.get("phase") in over
        )
        return status["phase"], status.get("reason")

    def finished(self, run_id: str, seconds: float = 90.0) -> Run:
        """A run, once it is over."""
        with self.client() as client:
            found: Run = client.runs.wait(run_id, timeout_seconds=seconds)
        return found

    def lines(self, run_id: str, word: str) -> list[str]:
        """Lines of a run's log that begin with `word`."""
        with self.client() as client:
            return [line.message for line in client.runs.logs(run_id) if line.message.startswith(word)]

    def sql(self, statement: str) -> str:
        """Ask the bundled Postgres."""
        command = ["psql", "-h", "/var/run/postgresql", "-U", "skerry", "-d", "skerry", "-At", "-c", statement]
        return self.own.kubectl("exec", "statefulset/skerry-postgres", "--", *command).strip()

    def check(self) -> None:
        """Assert the invariants over everything that is stored, and that nobody ran anything twice."""
        record = json.loads(eventually(lambda: self.sql(_RECORD), 60))
        self.ledger.check(*([tuple(row.values()) for row in record[noun]] for noun in ("runs", "attempts")))
        twice = "SELECT message FROM logs WHERE message LIKE 'begin %' GROUP BY run_id, attempt, message HAVING count(*) > 1"
        assert self.sql(twice) == "", "user code of one attempt ran more than once"

    def circumstances(self) -> str:
        """What a person would look at first when something went wrong."""
        seen = []
        for namespace, arguments in (
            (self.own, ("get", "pods", "--output", "wide")),
            (self.tasks, ("get", "workflows,runnerpools,taskruns", "--output", "wide")),
            (self.tasks, ("get", "pods", "--field-selector", "status.phase!=Succeeded")),
            (self.own, ("logs", "deployment/skerry-control-plane", "--all-pods", "--tail", "25")),
            (self.own, ("logs", "deployment/skerry-operator", "--all-pods", "--tail", "25")),
        ):
            try:
                seen.append(namespace.kubectl(*arguments))
            except CommandFailed as error:
                seen.append(str(error))
        return "\n".join(seen)

    def idle(self, seconds: float = 60.0) -> None:
        """Wait until no task Pod runs."""
        live = ("--field-selector", "status.phase!=Succeeded,status.phase!=Failed")
        eventually(lambda: self.tasks.names("pods", *live), seconds, lambda names: not names)


@contextmanager
def installed(keep: bool = False) -> Iterator[Installation]:
    """Install the chart on an empty cluster; nothing is left afterwards, unless it is to be kept and found again."""
    installation = Installation()
    with contextlib.ExitStack() as stack:
        if not keep:
            stack.callback(_remove_volume)
            stack.callback(_remove)
        _make_volume()
        _make_namespace(installation.own)
        installation.upgrade()
        installation.find()
        yield installation


def _remove() -> None:
    run("helm", "uninstall", RELEASE, "--namespace", NAMESPACE, "--ignore-not-found", "--wait")
    run("kubectl", "delete", "namespace", NAMESPACE, TASKS_NAMESPACE, "--ignore-not-found", "--timeout=90s")
    run("kubectl", "delete", "customresourcedefinition", "--selector", "app.kubernetes.io/part-of=skerry")


def _make_namespace(own: Namespace) -> None:
    """Where the release lives; that of the tasks is the chart's."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    own.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": own.name, "labels": labels}})


def _make_volume() -> None:
    """Room for Postgres' data where the cluster has no storage class, as the single node of tests/cluster."""
    cluster = Namespace("default")
    if cluster.get("storageclasses") or cluster.find("persistentvolume", VOLUME):
        return
    folder = tempfile.mkdtemp(prefix="skerry-volume-")
    Path(folder).chmod(0o777)
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": folder}}
    cluster.apply({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": VOLUME}, "spec": spec})


def _remove_volume() -> None:
    cluster = Namespace("default")
    volume = cluster.find("persistentvolume", VOLUME)
    if volume is not None:
        cluster.kubectl("delete", "persistentvolume", VOLUME, "--timeout=30s")
        shutil.rmtree(volume["spec"]["hostPath"]["path"])
