"""Every system there is a benchmark for."""

from benchmarks.processes import BenchmarkError
from benchmarks.systems.celery import servers as celery
from benchmarks.systems.dbos import servers as dbos
from benchmarks.systems.definitions import System
from benchmarks.systems.limits import servers as limits
from benchmarks.systems.prefect import servers as prefect
from benchmarks.systems.restate import servers as restate
from benchmarks.systems.skerry import servers as skerry
from benchmarks.systems.temporal import servers as temporal

PEERS = {
    "restate": restate.SYSTEMS,
    "dbos": dbos.SYSTEMS,
    "temporal": temporal.SYSTEMS,
    "celery": celery.SYSTEMS,
    "prefect": prefect.SYSTEMS,
}


def chosen(peers: str) -> list[System]:
    """Skerry, the peers named (`restate,dbos`, or `none`), and the machine's limits, in the tables' order.

    Raises:
        BenchmarkError: A name is not a peer's.
    """
    names = [] if peers == "none" else [name.strip() for name in peers.split(",")]
    unknown = [name for name in names if name not in PEERS]
    if unknown:
        raise BenchmarkError(f"No such peer: {', '.join(unknown)}. There are {', '.join(PEERS)}, or none.")
    return [*skerry.SYSTEMS, *(system for name in names for system in PEERS[name]), *limits.SYSTEMS]
