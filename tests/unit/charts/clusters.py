"""As much of an API server as helm asks before it renders: which kinds there are, and which Secrets."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]


@contextmanager
def cluster(folder: Path, known: Iterable[Json], secrets: Mapping[str, Mapping[str, str]]) -> Iterator[Path]:
    """A server that knows the kinds of some objects and has Secrets (name → data in base64).

    Gives the path of a kubeconfig, written into `folder`.
    """
    answers = {"/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.0"}, **_discovery(known)}
    missing = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            name = path.rpartition("/")[2]
            if "/secrets/" in path and name in secrets:
                secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": secrets[name]}
                self.answer(200, secret)
            else:
                self.answer(200 if path in answers else 404, answers.get(path, missing))

        def answer(self, status: int, body: object) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(_kubeconfig(f"http://127.0.0.1:{server.server_port}"))
        yield kubeconfig
        server.shutdown()


def _discovery(known: Iterable[Json]) -> dict[str, Json]:
    """What an API server tells of itself at /api and /apis, one version for each group."""
    kinds: dict[str, dict[str, Json]] = {}
    for item in known:
        plural = f"{item['kind'].lower()}s".replace("ys", "ies").replace("sss", "sses")
        resource = {
            "name": plural,
            "kind": item["kind"],
            "namespaced": "namespace" in item["metadata"],
            "verbs": ["get"],
        }
        kinds.setdefault(item["apiVersion"], {})[plural] = {"singularName": "", **resource}
    groups = [
        {
            "name": version.partition("/")[0],
            "versions": [{"groupVersion": version, "version": version.partition("/")[2]}],
        }
        for version in kinds
        if "/" in version
    ]
    answers: dict[str, Json] = {
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups},
    }
    for version, resources in kinds.items():
        path = f"/apis/{version}" if "/" in version else f"/api/{version}"
        listed = list(resources.values())
        answers[path] = {"kind": "APIResourceList", "groupVersion": version, "resources": listed}
    return answers


def _kubeconfig(url: str) -> str:
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "one", "cluster": {"server": url}}],
        "users": [{"name": "one", "user": {}}],
        "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
        "current-context": "one",
    }
    return yaml.safe_dump(content)
