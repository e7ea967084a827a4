"""Answers what `skerry dev` asks of its child, from a file that the test edits.

STAND_IN_FAILURE makes it fail: with the code of a fatal line, with `crash`, or by never becoming `ready`.
In the data folder it reads state.json (versions, tasks, runs) and writes started.json and ended.txt.
"""

import json
import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn

FAILURE = os.environ.get("STAND_IN_FAILURE", "")
ARGUMENTS = sys.argv[1:]


def option(name: str) -> str:
    return ARGUMENTS[ARGUMENTS.index(name) + 1]


DATA = Path(option("--data"))
STARTED = datetime.now(UTC).isoformat()


def state() -> dict[str, Any]:
    return json.loads((DATA / "state.json").read_text())


def end(how: str) -> NoReturn:
    (DATA / "ended.txt").write_text(how)
    os._exit(0)


def watch_lifeline() -> None:
    while os.read(int(option("--lifeline-fd")), 1):
        pass
    end("lifeline")


class Exchange(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/readyz":
            return self.reply({}, 503 if FAILURE == "ready" else 200)
        known = state()
        if path == "/v1/tasks":
            return self.reply([{"task": task} for task in known["tasks"]])
        if path == "/v1/workflowversions":
            versions = [{"readyAt": STARTED, "createdAt": STARTED} | version for version in known["versions"]]
            return self.reply([{"workflowVersion": version} for version in versions])
        return self.reply([{"taskRun": run} for run in known["runs"]])

    def reply(self, body: Any, status: int = 200) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        return


def main() -> None:
    DATA.mkdir(exist_ok=True)
    (DATA / "started.json").write_text(json.dumps({"pid": os.getpid(), "arguments": ARGUMENTS}))
    threading.Thread(target=watch_lifeline, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: end("SIGTERM"))
    if FAILURE == "crash":
        print("starting", file=sys.stderr)
        raise SystemExit(3)
    if FAILURE and FAILURE != "ready":
        print(json.dumps({"event": "fatal", "code": FAILURE, "message": f"fatal: {FAILURE}"}), file=sys.stderr)
        raise SystemExit(1)
    server = ThreadingHTTPServer((option("--host"), int(option("--port"))), Exchange)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    told = 0
    while True:
        time.sleep(0.05)
        lines = state().get("output", [])
        for line in lines[told:]:
            print(line, flush=True)
        told = len(lines)


main()
