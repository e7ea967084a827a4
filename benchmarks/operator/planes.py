"""A Kubernetes control plane for one measurement: the real programs on the loopback address, and KWOK for its nodes."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import stages
from benchmarks.operator import buffers, credentials, nodes
from benchmarks.operator.credentials import Credentials
from benchmarks.processes import BenchmarkError, Child
from benchmarks.stages import Stage
from skerry_objects.configurations import Configuration, read_kubeconfig

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
START_SECONDS = 90
# More than two cores can use: clients that throttle themselves would be measured instead of what they ask for.
RATE, BURST = 1000, 2000
# Its default is 5. The operator makes 32 requests at once.
JOB_SYNCS = 20
NAMESPACE = "benchmark"
# Where every write to the namespace of the measurement goes, and nothing else. The API server names the Pods of Jobs itself:
# only their bodies tell whose they are.
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "verbs": ["get", "list", "watch"]},
        {
            "level": "Request",
            "users": [credentials.JOB_CONTROLLER],
            "verbs": ["create"],
            "resources": [{"group": "", "resources": ["pods"]}],
            "namespaces": [NAMESPACE],
        },
        {"level": "Metadata", "namespaces": [NAMESPACE]},
        {"level": "None"},
    ],
}


@dataclass
class Plane:
    """A control plane that answers.

    Attributes:
        audit: The API server's log of writes to `NAMESPACE`, one JSON object a line.
        parts: Process ids, by what they are called in tables.
    """

    stage: Stage
    credentials: Credentials
    audit: Path
    parts: dict[str, int] = field(default_factory=dict)

    def configuration(self, user: str) -> Configuration:
        """How a user reaches it from this process."""
        return read_kubeconfig(self.credentials.kubeconfig(user))

    def start(self, part: str, command: list[str | Path], environment: dict[str, str] | None = None) -> Child:
        """Start a program as a part of it, which ends with this process whatever ends that."""
        child = self.stage.start(part, [*_leash(), *command], environment)
        self.parts[part] = child.pid
        return child


def binaries() -> Path:
    """The folder with the programs.

    Raises:
        BenchmarkError: Some are not built.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(os.environ.get("CLUSTER_DIR") or cache / "skerry-cluster") / "bin"
    missing = [name for name in PROGRAMS if not os.access(folder / name, os.X_OK)]
    if missing:
        raise BenchmarkError(f"not built: {', '.join(missing)}; run tests/cluster/build {' '.join(PROGRAMS)}")
    return folder


def versions() -> str:
    """What is measured on."""
    folder = binaries()
    said = []
    for name in ("kube-apiserver", "etcd", "kwok"):
        done = subprocess.run([folder / name, "--version"], capture_output=True, text=True, check=False, timeout=30)
        said.append(next(iter(done.stdout.splitlines()), name))
    return ", ".join(said)


def started(stage: Stage, run_seconds: float | None) -> Plane:
    """Start all parts on a stage.

    Args:
        stage: Ends them.
        run_seconds: How long Pods run; None lets them run on.

    Raises:
        BenchmarkError: A program is missing, or did not come up.
    """
    folder, port, etcd = binaries(), stages.free_port(), f"http://127.0.0.1:{stages.free_port()}"
    url = f"https://127.0.0.1:{port}"
    plane = Plane(stage, credentials.made(stage.folder, url), stage.folder / "audit.log")
    plane.start("etcd", _etcd(folder, stage.folder, etcd))
    server = plane.start("API server", _api_server(folder, plane, etcd, port))
    server.wait_until(lambda: _answers(f"{url}/readyz"), START_SECONDS, "answer to /readyz")
    buffers.grow(plane.configuration(credentials.CLIENT))
    plane.start("controller manager", _controller_manager(folder, plane))
    plane.start("scheduler", _scheduler(folder, plane))
    plane.start("kwok", _kwok(folder, plane, run_seconds), {"KWOK_WORKDIR": str(stage.folder / "kwok")})
    return plane


def _leash() -> list[str]:
    found = shutil.which("setpriv")
    return [found, "--pdeathsig", "KILL"] if found else []


def _etcd(folder: Path, data: Path, url: str) -> list[str | Path]:
    peers = f"http://127.0.0.1:{stages.free_port()}"
    return [
        folder / "etcd",
        f"--data-dir={data / 'etcd'}",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
        # The disk of a small machine is not what is compared.
        "--unsafe-no-fsync",
    ]


def _api_server(folder: Path, plane: Plane, etcd: str, port: int) -> list[str | Path]:
    home = plane.stage.folder
    policy = home / "audit-policy.json"
    policy.write_text(json.dumps(AUDIT_POLICY))
    return [
        folder / "kube-apiserver",
        f"--etcd-servers={etcd}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",
        f"--secure-port={port}",
        f"--cert-dir={home / 'certificates'}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--authorization-mode=RBAC",
        f"--token-auth-file={plane.credentials.tokens}",
        f"--service-account-key-file={plane.credentials.signing_key}",
        f"--service-account-signing-key-file={plane.credentials.signing_key}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--audit-policy-file={policy}",
        f"--audit-log-path={plane.audit}",
        # MiB until a new file is begun, which would be missed.
        "--audit-log-maxsize=4096",
    ]


def _controller_manager(folder: Path, plane: Plane) -> list[str | Path]:
    return [
        folder / "kube-controller-manager",
        f"--kubeconfig={plane.credentials.kubeconfig(credentials.MANAGER)}",
        f"--service-account-private-key-file={plane.credentials.signing_key}",
        # Each controller is a user, so the Job controller's requests can be told from the others'.
        "--use-service-account-credentials",
        "--leader-elect=false",
        "--secure-port=0",
        f"--kube-api-qps={RATE}",
        f"--kube-api-burst={BURST}",
        f"--concurrent-job-syncs={JOB_SYNCS}",
    ]


def _scheduler(folder: Path, plane: Plane) -> list[str | Path]:
    configuration = plane.stage.folder / "scheduler.json"
    kubeconfig = plane.credentials.kubeconfig(credentials.SCHEDULER)
    document = {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "clientConnection": {"kubeconfig": str(kubeconfig), "qps": RATE, "burst": BURST},
    }
    configuration.write_text(json.dumps(document))
    return [folder / "kube-scheduler", f"--config={configuration}", "--secure-port=0"]


def _kwok(folder: Path, plane: Plane, run_seconds: float | None) -> list[str | Path]:
    configuration = plane.stage.folder / "kwok.yaml"
    configuration.write_text(nodes.configuration(run_seconds))
    kubeconfig = plane.credentials.kubeconfig(credentials.KWOK)
    return [folder / "kwok", f"--config={configuration}", f"--kubeconfig={kubeconfig}", "--v=WARN"]


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2, context=ssl._create_unverified_context()) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False
