"""How people reach it: Service, Ingress, notes after the installation, and `helm test`."""

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.unit.charts.renders import CHART, NAMESPACE, Helm, Rendered, environment

KEY = "sk_secret"


def notes(helm: Helm, *options: str) -> str:
    output = helm.run("install", "skerry", str(CHART), "--namespace", NAMESPACE, "--dry-run=client", *options)
    return output.partition("NOTES:")[2]


def test_an_ingress_shows_what_clients_need_and_no_more(production: Rendered) -> None:
    (rule,) = production.one("Ingress", "skerry-control-plane")["spec"]["rules"]
    assert rule["host"] == "skerry.example.com"
    assert [path["path"] for path in rule["http"]["paths"]] == ["/v1", "/docs", "/openapi.json"]


def test_a_node_port_can_be_chosen(helm: Helm) -> None:
    rendered = helm.render(values=[CHART / "ci" / "persistent-values.yaml"])
    service = rendered.one("Service", "skerry-control-plane")["spec"]
    assert (service["type"], service["ports"][0]["nodePort"]) == ("NodePort", 30120)


def test_notes_lead_from_the_installation_to_the_first_run(helm: Helm) -> None:
    text = notes(helm)
    steps = ["port-forward service/skerry-control-plane 8120:8120", "get secret skerry-admin-key", "skerry deploy"]
    positions = [text.index(step) for step in [*steps, "skerry tasks start", "helm test skerry"]]
    assert positions == sorted(positions)
    assert "NOT FOR PRODUCTION" in text
    assert "every run and every key is lost" in text


def test_notes_follow_the_values(helm: Helm) -> None:
    production = notes(helm, "--values", str(CHART / "ci" / "production-values.yaml"))
    assert "export SKERRY_URL=https://skerry.example.com\n" in production
    assert "get secret key " in production
    assert "NOT FOR PRODUCTION" not in production
    assert "create-key" in notes(helm, "--set", "adminKey.enabled=false")
    assert "is lost" not in notes(helm, "--set", "postgres.persistence.enabled=true")
    assert r"{.data.my\.key}" in notes(helm, "--set-string", r"adminKey.key=my\.key")


@contextmanager
def server(*, key: str, plans: list[str], starting: int = 0) -> Iterator[str]:
    """A control plane as far as the check asks; `starting` readiness checks are refused first."""
    left = [starting]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            authorised = self.headers["Authorization"] == f"Bearer {key}"
            if self.path == "/readyz":
                left[0] -= 1
                self.answer(503 if left[0] >= 0 else 200, {})
            elif not authorised:
                self.answer(401, {"message": "the API key is not known"})
            else:
                self.answer(200, [{"plan": {"name": name}} for name in plans] if self.path == "/v1/plans" else [])

        def answer(self, status: int, body: object) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def check(rendered: Rendered, url: str, key: str = KEY) -> subprocess.CompletedProcess[str]:
    (container,) = rendered.one("Pod", "skerry-test")["spec"]["containers"]
    assert container["command"] == ["python3", "-c"]
    variables = {"SKERRY_URL": url, "SKERRY_PLANS": environment(container)["SKERRY_PLANS"], "SKERRY_API_KEY": key}
    program = [sys.executable, "-c", *container["args"]]
    return subprocess.run(program, env=variables, capture_output=True, text=True, timeout=60)


@pytest.fixture
def plans(defaults: Rendered) -> list[str]:
    (container,) = defaults.one("Pod", "skerry-test")["spec"]["containers"]
    return list(json.loads(environment(container)["SKERRY_PLANS"]))


def test_helm_test_passes_on_a_good_server_that_takes_its_time(defaults: Rendered, plans: list[str]) -> None:
    with server(key=KEY, plans=plans, starting=1) as url:
        done = check(defaults, url)
    assert done.returncode == 0, done.stderr
    assert "ok: plans" in done.stdout


@pytest.mark.parametrize(
    ("key", "left_out", "words"), [("sk_other", 0, "answered 401, not 200"), (KEY, 1, "the server has the plans")]
)
def test_helm_test_says_what_is_wrong(
    defaults: Rendered, plans: list[str], key: str, left_out: int, words: str
) -> None:
    with server(key=key, plans=plans[left_out:]) as url:
        done = check(defaults, url)
    assert done.returncode == 1
    assert words in done.stderr


def test_helm_test_without_a_key_asks_for_readiness_only(helm: Helm, plans: list[str]) -> None:
    rendered = helm.render("adminKey.enabled=false")
    (container,) = rendered.one("Pod", "skerry-test")["spec"]["containers"]
    assert "SKERRY_API_KEY" not in environment(container)
    with server(key=KEY, plans=plans) as url:
        assert check(rendered, url, key="").returncode == 0
