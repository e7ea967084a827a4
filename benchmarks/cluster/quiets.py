"""What an installation costs while nothing is triggered: Pods, processor time, statements, requests to the API server."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from typing import Any

from benchmarks.cluster.benches import Bench
from benchmarks.cluster.standbys import say, until_none
from tests.end_to_end.clusters import Namespace
from tests.end_to_end.installations import Installation

COMPONENTS = ("control-plane", "operator")
# How long a Pod waits after the last need of it.
IDLE_SECONDS = 5
# How long nothing has come when all task Pods must be gone.
GRACE_SECONDS = IDLE_SECONDS + 10.0
STATEMENT_SECONDS = 20.0
# Nanoseconds of a container's processor time, in either version of cgroups.
CPU = "cat /sys/fs/cgroup/cpuacct/cpuacct.usage 2>/dev/null || awk '/^usage_usec/ {print $2 \"000\"}' /sys/fs/cgroup/cpu.stat"
TRANSACTIONS = "SELECT sum(xact_commit + xact_rollback)::bigint FROM pg_stat_database"
# Requests of service accounts outside kube-system: on an otherwise empty cluster those of Skerry, whose task Pods have none.
DISPATCHED = re.compile(
    r'^apiserver_flowcontrol_dispatched_requests_total\{flow_schema="service-accounts",[^}]*\} (\S+)$', re.MULTILINE
)
LOGGED = re.compile(r"LOG:  (?:statement|execute [^:]*): ")


@dataclass(frozen=True)
class Reading:
    """Counters at one moment.

    Attributes:
        at: seconds of the monotonic clock.
        cpu: seconds that the Pods of each component have used.
        transactions: of Postgres.
        requests: that the API server has had of service accounts.
    """

    at: float
    cpu: dict[str, float]
    transactions: int
    requests: float


async def idle(bench: Bench, minutes: float) -> dict[str, Any]:
    """Have Pods wait, trigger nothing more, see them go, then watch what is still used."""
    await asyncio.to_thread(say, bench, warm={"min": 0, "max": 10, "idleSeconds": IDLE_SECONDS})
    try:
        await asyncio.gather(*(bench.run("faults/clock") for _ in range(3)))
        await asyncio.sleep(GRACE_SECONDS)
        left = await asyncio.to_thread(_task_pods, bench)
        late = await until_none(bench, 60)
        used = await asyncio.to_thread(_watch, bench.installation, minutes * 60)
        statements = await asyncio.to_thread(_statements, bench.installation, min(STATEMENT_SECONDS, minutes * 60))
    finally:
        await asyncio.to_thread(say, bench, warm=None)
    return {"task Pods": left, "none left after s": GRACE_SECONDS + late, **used, "statements/s": statements}


def _task_pods(bench: Bench) -> int:
    return len(bench.tasks.names("pods", "--field-selector", "status.phase!=Succeeded,status.phase!=Failed"))


def _watch(installation: Installation, seconds: float) -> dict[str, Any]:
    before = _read(installation)
    time.sleep(seconds)
    after = _read(installation)
    elapsed = after.at - before.at
    return {
        "seconds": elapsed,
        "CPU %": {name: (after.cpu[name] - before.cpu[name]) * 100 / elapsed for name in COMPONENTS},
        "transactions/s": (after.transactions - before.transactions) / elapsed,
        "API server requests/s": (after.requests - before.requests) / elapsed,
    }


def _read(installation: Installation) -> Reading:
    transactions = int(installation.sql(TRANSACTIONS))
    cpu = {component: _cpu(installation.own, component) for component in COMPONENTS}
    counted = DISPATCHED.search(installation.own.kubectl("get", "--raw", "/metrics"))
    return Reading(time.monotonic(), cpu, transactions, float(counted[1]) if counted else 0.0)


def _cpu(own: Namespace, component: str) -> float:
    names = own.names("pods", "--selector", f"app.kubernetes.io/component={component}")
    return sum(int(own.kubectl("exec", name, "--", "sh", "-c", CPU).split()[-1]) for name in names) / 1e9


def _statements(installation: Installation, seconds: float) -> float:
    """Statements a second that Postgres writes to its log while it is told to write all."""
    _log(installation, "all")
    try:
        began, already = time.monotonic(), _logged(installation)
        time.sleep(seconds)
        return (_logged(installation) - already) / (time.monotonic() - began)
    finally:
        _log(installation, "none")


def _logged(installation: Installation) -> int:
    return len(LOGGED.findall(installation.own.kubectl("logs", "statefulset/skerry-postgres")))


def _log(installation: Installation, which: str) -> None:
    installation.sql(f"ALTER SYSTEM SET log_statement = '{which}'")
    installation.sql("SELECT pg_reload_conf()")
    time.sleep(1)
