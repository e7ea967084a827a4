"""Where the API server is and who we are: from inside a Pod, or from a kubeconfig."""

from __future__ import annotations

import base64
import os
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class NoCluster(RuntimeError):
    """There is no cluster to talk to, or what describes it cannot be used."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """How to reach a cluster.

    Attributes:
        server: base URL of the API server.
        namespace: the namespace that is meant where none is given.
        tls: whom to trust and, with client certificates, who we are.
        token_file: a service account's token, which is replaced from time to time.
        token: a fixed bearer token.
    """

    server: str
    namespace: str
    tls: ssl.SSLContext | None
    token_file: Path | None = None
    token: str | None = None

    def authorization(self) -> dict[str, str]:
        """The header that says who we are."""
        token = self.token_file.read_text().strip() if self.token_file is not None else self.token
        return {"Authorization": f"Bearer {token}"} if token else {}


def find_configuration() -> Configuration:
    """The Pod's own cluster, or the one of `KUBECONFIG` or `~/.kube/config`.

    Raises:
        NoCluster: there is none.
    """
    host = os.environ.get("KUBERNETES_SERVICE_HOST")
    if host and "KUBECONFIG" not in os.environ and (_ACCOUNT / "token").exists():
        port = os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        bracketed = f"[{host}]" if ":" in host else host
        return Configuration(
            server=f"https://{bracketed}:{port}",
            namespace=(_ACCOUNT / "namespace").read_text().strip(),
            tls=ssl.create_default_context(cafile=str(_ACCOUNT / "ca.crt")),
            token_file=_ACCOUNT / "token",
        )
    path = Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")
    if not path.exists():
        raise NoCluster(f"no cluster: this is not a Pod, and there is no kubeconfig at {path} (set KUBECONFIG)")
    return read_kubeconfig(path)


def read_kubeconfig(path: Path) -> Configuration:
    """The current context of a kubeconfig.

    Raises:
        NoCluster: it cannot be read, or it authenticates in a way that is not supported (exec plugins).
    """
    try:
        document = yaml.safe_load(path.read_text())
        context = _named(document["contexts"], document["current-context"])["context"]
        cluster = _named(document["clusters"], context["cluster"])["cluster"]
        user = _named(document["users"], context["user"])["user"]
        server = cluster["server"]
    except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
        raise NoCluster(f"the kubeconfig {path} cannot be used: {error!r}") from error
    if "exec" in user or "auth-provider" in user:
        raise NoCluster(f"the kubeconfig {path} signs in with a plugin; use a token or a client certificate")
    return Configuration(
        server=server.rstrip("/"),
        namespace=context.get("namespace", "default"),
        tls=_tls(cluster, user, path.parent) if server.startswith("https") else None,
        token_file=Path(user["tokenFile"]) if "tokenFile" in user else None,
        token=user.get("token"),
    )


def _named(entries: list[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    return next((entry for entry in entries if entry["name"] == name), {})


def _tls(cluster: Mapping[str, Any], user: Mapping[str, Any], folder: Path) -> ssl.SSLContext:
    tls = ssl.create_default_context()
    authority = _content(cluster, "certificate-authority", folder)
    if authority is not None:
        tls = ssl.create_default_context(cadata=authority)
    if cluster.get("insecure-skip-tls-verify"):
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    certificate, key = _content(user, "client-certificate", folder), _content(user, "client-key", folder)
    if certificate is not None and key is not None:
        # The ssl module reads certificates of its own from files only.
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(f"{certificate}\n{key}\n")
            file.flush()
            tls.load_cert_chain(file.name)
    return tls


def _content(entry: Mapping[str, Any], key: str, folder: Path) -> str | None:
    if f"{key}-data" in entry:
        return base64.b64decode(entry[f"{key}-data"]).decode()
    return (folder / entry[key]).read_text() if key in entry else None
