"""What `helm test` runs: is the control plane ready, does it take the key, and only with a key? It changes nothing."""

# ruff: noqa: S310, T201 - the chart chooses the URL, and people read what is printed.

import json
import os
import sys
import time
import urllib.error
import urllib.request

URL = os.environ["SKERRY_URL"]
KEY = os.environ.get("SKERRY_API_KEY", "")
PATIENCE_SECONDS = 60


def status(path, key=""):
    """The HTTP status and body of a GET."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(URL + path, headers=headers), timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()
    except OSError as error:
        return 0, str(error)


def expect(wanted, path, key=""):
    """End with a message unless `path` answers with the status `wanted`; a control plane that starts gets time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        got, body = status(path, key)
        if got == wanted:
            print(f"ok: GET {path} {'with the key' if key else 'without a key'}: {got}", flush=True)
            return body
        if got not in (0, 503) or time.monotonic() > deadline:
            sys.exit(f"GET {URL}{path} answered {got}, not {wanted}: {body[:500]}")
        time.sleep(1)


expect(200, "/readyz")
expect(401, "/v1/workflows")
if KEY:
    expect(200, "/v1/workflows", KEY)
    plans = [entry["plan"]["name"] for entry in json.loads(expect(200, "/v1/plans", KEY))]
    wanted = json.loads(os.environ["SKERRY_PLANS"])
    if set(plans) != set(wanted):
        sys.exit(f"the server has the plans {sorted(plans)}, the chart's values {sorted(wanted)}")
    print(f"ok: plans {', '.join(plans)}")
