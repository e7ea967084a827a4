"""Who the parts of the control plane are: one user each, so that the audit log tells whose every request was."""

from __future__ import annotations

import json
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import BenchmarkError

CLIENT = "benchmark"
KWOK = "kwok"
MANAGER = "system:kube-controller-manager"
SCHEDULER = "system:kube-scheduler"
OPERATOR = "skerry-operator"
JOB_CONTROLLER = "system:serviceaccount:kube-system:job-controller"

# The API server queues requests by group: the operator's like those of any service account, the two that stand for
# the world outside not at all.
GROUPS = {
    CLIENT: "system:masters",
    KWOK: "system:masters",
    MANAGER: "",
    SCHEDULER: "",
    OPERATOR: "system:serviceaccounts",
}


@dataclass(frozen=True)
class Credentials:
    """Files in one folder.

    Attributes:
        tokens: For the API server, who has which token.
        signing_key: Signs the tokens of service accounts.
    """

    folder: Path
    tokens: Path
    signing_key: Path

    def kubeconfig(self, user: str) -> Path:
        """How this user reaches the API server."""
        return self.folder / f"{user.replace(':', '-')}.kubeconfig"


def made(folder: Path, url: str) -> Credentials:
    """Make a token and a kubeconfig for every user of the API server at `url`.

    Raises:
        BenchmarkError: There is no openssl, or it makes no key.
    """
    credentials = Credentials(folder, folder / "tokens.csv", folder / "signing.key")
    try:
        command = ["openssl", "genrsa", "-out", str(credentials.signing_key), "2048"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as problem:
        raise BenchmarkError(f"no key for service accounts: {problem}") from problem
    lines = []
    for user, group in GROUPS.items():
        token = secrets.token_hex(16)
        lines.append(f'{token},{user},{user},"{group}"\n')
        credentials.kubeconfig(user).write_text(_kubeconfig(url, user, token))
    credentials.tokens.write_text("".join(lines))
    return credentials


def _kubeconfig(url: str, user: str, token: str) -> str:
    # The API server makes its certificate itself; nothing but this machine can answer at the loopback address.
    cluster = {"server": url, "insecure-skip-tls-verify": True}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "local", "cluster": cluster}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "local", "context": {"cluster": "local", "user": user}}],
        "current-context": "local",
    }
    return json.dumps(document)
