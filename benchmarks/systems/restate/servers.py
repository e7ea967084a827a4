"""Starts one Restate node and the process that serves its handlers."""

import platform
import sys
from functools import partial

from benchmarks import environments, stages
from benchmarks.processes import BenchmarkError
from benchmarks.stages import Stage
from benchmarks.systems.definitions import Running, System

MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


def _start(stage: Stage, children: str) -> Running:
    python = environments.python_of("restate")
    machine = MACHINES.get(platform.machine().lower(), platform.machine())
    package = environments.node_modules_of("restate") / "@restatedev" / f"restate-server-{sys.platform}-{machine}"
    if not package.is_dir():
        raise BenchmarkError(f"Restate is not published for {sys.platform} on {platform.machine()}.")
    ingress, admin, fabric, services = (stages.free_port() for _ in range(4))
    node = stage.start(
        "restate-server",
        [package / "bin" / "restate-server", "--no-logo", "--base-dir", stage.folder / "restate"],
        {
            "RESTATE_LISTEN_MODE": "tcp",
            "RESTATE_BIND_ADDRESS": f"127.0.0.1:{fabric}",
            "RESTATE_ADVERTISED_ADDRESS": f"http://127.0.0.1:{fabric}/",
            "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
            "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
            "RESTATE_DISABLE_TELEMETRY": "true",
            "RUST_LOG": "error",
        },
    )
    worker = stage.start("restate services", [python, "-m", "benchmarks.systems.restate.services", str(services)])
    node.wait_until(lambda: stages.listens(admin) and stages.listens(ingress), 30, "connection accepted")
    worker.wait_until(lambda: stages.listens(services), 30, "connection accepted")
    settings = {
        "children": children,
        "admin": f"http://127.0.0.1:{admin}",
        "ingress": f"http://127.0.0.1:{ingress}",
        "services": f"http://127.0.0.1:{services}",
    }
    driver = stage.driver(python, "benchmarks.systems.restate.driver", settings)
    return Running(driver, {"client": [driver.pid], "control plane": [node.pid], "workers": [worker.pid]})


SYSTEMS = [
    System("Restate, steps", "restate", "shared process", "RocksDB, fsync", partial(_start, children="step")),
    System("Restate, calls", "restate", "shared process", "RocksDB, fsync", partial(_start, children="call")),
]
